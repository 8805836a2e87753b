import { copyReported } from '../json/copy-reported.ts';
import type { JsonObject } from '../json/json-value.ts';
import { mergeReported } from '../json/merge-reported.ts';
import { MAX_REPORT_QUEUE } from '../limits.ts';

/**
 * Reported patches that the hub has not confirmed, the first possibly on its way. A new patch is merged into the last one that
 * waits, so that what is reported while the device is offline or a request is under way leaves as one.
 */
export class ReportQueue {
  #sent: JsonObject | undefined;
  #waiting: JsonObject[] = [];

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get isEmpty(): boolean {
    return this.#sent === undefined && this.#waiting.length === 0;
  }

  /**
   * False when there is no room.
   * @throws ERR_REPORTED for what no reported properties can hold
   */
  push(patch: unknown): boolean {
    const copy = copyReported(patch);
    const last = this.#waiting.length - 1;
    const merged = last < 0 ? undefined : mergeReported(this.#waiting[last]!, copy);
    if (merged !== undefined) this.#waiting[last] = merged;
    else if (this.#waiting.length < MAX_REPORT_QUEUE) this.#waiting.push(copy);
    else return false;
    return true;
  }

  /** The patch that is sent next. */
  take(): JsonObject | undefined {
    this.#sent = this.#waiting.shift();
    return this.#sent;
  }

  /** The patch that was sent must be sent again, before what has come since. */
  restore(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    const next = this.#waiting[0];
    const merged = next === undefined ? undefined : mergeReported(sent, next);
    if (merged === undefined) this.#waiting.unshift(sent);
    else this.#waiting[0] = merged;
  }

  /** The hub has judged the patch that was sent; gives the names of its top-level properties. */
  finish(): readonly string[] {
    const names = Object.keys(this.#sent ?? {});
    this.#sent = undefined;
    return names;
  }
}
