import {
  initialConnectivity, step, wakeAtOf, type Connectivity, type ConnectivityContext, type ConnectivityEffect, type ConnectivityEvent,
} from '../../firmware/agent/connectivity.ts';
import { MAX_TIMER_MS } from '../../firmware/agent/limits.ts';
import { FakeTime } from './fake-time.ts';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';

/** What the world does with a candidate; `never` is silence. */
export interface Fate {
  readonly opensAfterMs: number | 'never';
  /** The answer to its CONNECT. */
  readonly answer: 'accepted' | 'never' | number;
  readonly answersAfterMs: number;
}

export interface WalkOptions {
  readonly lifeMs: number;
  readonly seed?: number;
  readonly keyCount?: number;
  readonly roomForTwo?: boolean;
  /** How long a check of the clock takes. */
  readonly resyncMs?: number;
  readonly fate?: (walk: ConnectivityWalk, keyIndex: number) => Fate;
}

const GOOD: Fate = { opensAfterMs: 300, answer: 'accepted', answersAfterMs: 100 };

/** The connection machine alone in a simulated world: links, a hub's verdicts, a clock to check, one timer. */
export class ConnectivityWalk {
  readonly time = new FakeTime();
  state: Connectivity = initialConnectivity;
  /** Effects in order, as `at name detail`. */
  readonly log: { readonly atMs: number; readonly effect: ConnectivityEffect }[] = [];
  readonly random: () => number;
  keyIndex = 0;
  tokenReady = true;
  idle = true;
  roomForTwo: boolean;
  /** Bounds every timer, as on the chip. */
  wakes = 0;
  longestTimerMs = 0;
  readonly #options: WalkOptions;
  #candidate = 0;
  #cancelWake: () => void = () => {};

  constructor(options: WalkOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed ?? 1);
    this.roomForTwo = options.roomForTwo ?? true;
  }

  start(): this {
    this.say({ type: 'clockKnown' });
    this.say({ type: 'started' });
    return this;
  }

  say(event: ConnectivityEvent): void {
    const context: ConnectivityContext = {
      nowMs: this.time.nowMs, random: this.random, keyCount: this.#options.keyCount ?? 1, tokenReady: this.tokenReady, idle: this.idle,
      roomForTwo: this.roomForTwo, roundTripMs: 100,
    };
    const [state, ...effects] = step(this.state, event, context);
    this.state = state;
    for (const effect of effects) this.#run(effect);
    this.#arm();
  }

  /** When the effects of this type came. */
  times(type: ConnectivityEffect['type']): number[] {
    return this.log.filter(({ effect }) => effect.type === type).map(({ atMs }) => atMs);
  }

  names(): string[] {
    return this.log.map(({ effect }) => ('reason' in effect ? `${effect.type} ${effect.reason}` : effect.type));
  }

  #run(effect: ConnectivityEffect): void {
    this.log.push({ atMs: this.time.nowMs, effect });
    switch (effect.type) {
      case 'open': {
        const mine = ++this.#candidate;
        const { opensAfterMs } = this.#fate();
        if (opensAfterMs === 'never') return;
        this.time.after(opensAfterMs, () => this.#candidate === mine && this.say({ type: 'opened', tookMs: opensAfterMs }));
        return;
      }
      case 'connect': {
        const mine = this.#candidate;
        const signedAtMs = this.time.nowMs;
        this.keyIndex = effect.keyIndex;
        const { answer, answersAfterMs } = this.#fate();
        if (answer === 'never') return;
        const event: ConnectivityEvent = answer === 'accepted' ? { type: 'accepted', signedAtMs, tokenEndsMs: signedAtMs + this.#options.lifeMs } : { type: 'refused', returnCode: answer };
        this.time.after(answersAfterMs, () => this.#candidate === mine && this.say(event));
        return;
      }
      case 'dropCandidate':
      case 'promote':
        this.#candidate += 1;
        return;
      case 'resynchronise':
        this.time.after(this.#options.resyncMs ?? 50, () => this.say({ type: 'resynchronised' }));
        return;
      default:
        return;
    }
  }

  #fate(): Fate {
    return this.#options.fate?.(this, this.keyIndex) ?? GOOD;
  }

  #arm(): void {
    this.#cancelWake();
    const wakeAtMs = wakeAtOf(this.state);
    if (wakeAtMs === Infinity) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(wakeAtMs - this.time.nowMs)));
    this.longestTimerMs = Math.max(this.longestTimerMs, delayMs);
    this.#cancelWake = this.time.after(delayMs, () => {
      this.wakes += 1;
      this.say({ type: 'woke' });
    });
  }
}
