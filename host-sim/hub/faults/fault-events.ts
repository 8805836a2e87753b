import type { Fault, FaultKind } from './fault.ts';

/** What happened to and by faults. */
export type FaultEvent =
  | { readonly event: 'faultSet'; readonly fault: Fault }
  | { readonly event: 'faultHit'; readonly fault: string; readonly kind: FaultKind; readonly deviceId: string; readonly moduleId?: string }
  | { readonly event: 'faultEnded'; readonly fault: string; readonly kind: FaultKind; readonly hits: number; readonly reason: 'cleared' | 'elapsed' | 'used-up' | 'replaced' };
