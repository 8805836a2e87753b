import type { Applied } from './applied-settings.ts';

interface Count {
  targeted: number;
  applied: number;
}

/** How many twins each configuration targets, and how many carry it: counted as they change, for the twins may be many. */
export class Census {
  readonly #counts = new Map<string, Count>();

  of(id: string): Readonly<Count> {
    return this.#counts.get(id) ?? { targeted: 0, applied: 0 };
  }

  /** One twin was this and is that. */
  change(before: Applied, after: Applied): void {
    this.#add(before, -1);
    this.#add(after, 1);
  }

  #add({ configurations }: Applied, sign: 1 | -1): void {
    for (const [id, status] of Object.entries(configurations)) {
      const { targeted, applied } = this.of(id);
      const count: Count = { targeted: targeted + sign, applied: applied + (status === 'Applied' ? sign : 0) };
      if (count.targeted === 0) this.#counts.delete(id);
      else this.#counts.set(id, count);
    }
  }
}
