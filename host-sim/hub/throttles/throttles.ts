import type { Clock } from '../../time/clock.ts';
import { ServiceError } from '../service-error.ts';
import { limitsOfS1, METHOD_METER_BYTES, type OperationLimit, type ThrottledOperation } from './limits.ts';
import { TokenBucket } from './token-bucket.ts';

/** A refusal that says when to come again. */
export class ThrottlingError extends ServiceError {
  readonly retryAfterMs: number;

  constructor(operation: ThrottledOperation, retryAfterMs: number) {
    super(429, 429_001, 'ThrottlingException', `The hub's limit for ${operation} is reached: wait ${Math.ceil(retryAfterMs / 1000)} seconds and try again.`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The rates of a hub, one bucket an operation. A hub without them takes whatever comes. */
export class Throttles {
  readonly #clock: Clock;
  readonly #buckets: ReadonlyMap<ThrottledOperation, TokenBucket>;

  constructor(clock: Clock, limits: Partial<Readonly<Record<ThrottledOperation, OperationLimit>>> = limitsOfS1()) {
    this.#clock = clock;
    const nowMs = clock.monotonicMs();
    this.#buckets = new Map(
      (Object.entries(limits) as [ThrottledOperation, OperationLimit][]).map(([operation, { perSecond, burst }]) => [operation, new TokenBucket(perSecond, burst, nowMs)]),
    );
  }

  /** @returns 0 when it may be done, else milliseconds to wait */
  tryTake(operation: ThrottledOperation, amount = 1): number {
    return this.#buckets.get(operation)?.take(amount, this.#clock.monotonicMs()) ?? 0;
  }

  /** @throws ThrottlingError 429001 */
  take(operation: ThrottledOperation, amount = 1): void {
    const waitMs = this.tryTake(operation, amount);
    if (waitMs > 0) throw new ThrottlingError(operation, waitMs);
  }

  /** A method by the size of its payload. @throws ThrottlingError 429001 */
  takeMethod(payloadBytes: number): void {
    this.take('method', Math.max(1, Math.ceil(payloadBytes / METHOD_METER_BYTES)) * METHOD_METER_BYTES);
  }
}
