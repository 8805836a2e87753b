/** 0001-01-01 in milliseconds before 1970: the start of .NET's ticks of 100 ns. */
const TICKS_START_MS = 62_135_596_800_000n;
const TICKS_A_MS = 10_000n;

/** Generation ids as IoT Hub writes them: the moment in ticks, never twice the same. */
export class GenerationIds {
  #last = 0n;

  next(nowMs: number): string {
    const ticks = (BigInt(Math.floor(nowMs)) + TICKS_START_MS) * TICKS_A_MS;
    this.#last = ticks > this.#last ? ticks : this.#last + 1n;
    return String(this.#last);
  }

  /** One that was given before. */
  note(generationId: string): void {
    if (/^\d{1,30}$/.test(generationId) && BigInt(generationId) > this.#last) this.#last = BigInt(generationId);
  }
}

/** As IoT Hub's: a number in base64. An identity made again begins elsewhere. */
export function firstEtag(generationId: string): string {
  return encodeEtag(Number(generationId.slice(-9)));
}

export function nextEtag(etag: string): string {
  return encodeEtag((Number(Buffer.from(etag, 'base64').toString('latin1')) || 0) + 1);
}

function encodeEtag(version: number): string {
  return Buffer.from(String(version)).toString('base64');
}
