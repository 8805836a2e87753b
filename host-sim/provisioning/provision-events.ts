import type { BlockState } from '../chip-tools/espefuse.ts';

/** All that provisioning tells; no event holds a secret. */
export type ProvisionEvent =
  | { readonly event: 'plan'; readonly chip: string; readonly hub: string; readonly device: string; readonly dryRun: boolean; readonly settings: readonly string[] }
  /** A byte range of the flash, `from` to `to` inclusive, that will be written or erased. */
  | { readonly event: 'range'; readonly action: 'write' | 'erase'; readonly partition: string; readonly from: number; readonly to: number; readonly what: string }
  /** A block that is to be burnt, once and for ever. */
  | { readonly event: 'block'; readonly block: number; readonly purpose: string; readonly use: 'signer' | 'nvs' }
  | { readonly event: 'board'; readonly port: string; readonly mac: string; readonly blocks: readonly BlockState[] }
  | { readonly event: 'keys'; readonly place: 'registry'; readonly hub: string; readonly device: string }
  /** The registry was not reached: the line that sets the keys, and the files it reads them from. */
  | { readonly event: 'keys'; readonly place: 'files'; readonly line: string; readonly files: readonly string[] }
  | { readonly event: 'folder'; readonly folder: string; readonly files: readonly string[] }
  /** Nothing was burnt: the line that does it, and the files it burns. */
  | { readonly event: 'unburnt'; readonly line: string; readonly files: readonly string[] }
  /** The eFuses of an emulated chip. */
  | { readonly event: 'emulated'; readonly file: string; readonly mac: string }
  | { readonly event: 'burnt'; readonly block: number; readonly purpose: string }
  | { readonly event: 'done'; readonly next: string };

const USE = { signer: "the signer's key", nvs: 'the key of the encrypted settings' } as const;

/** One line for a person, or several. */
export function describeProvisionEvent(event: ProvisionEvent): string {
  switch (event.event) {
    case 'plan':
      return `${event.dryRun ? 'would provision' : 'provisioning'} ${event.device} of ${event.hub} on ${event.chip}; settings: ${event.settings.join(', ')}`;
    case 'range':
      return `${event.action.padEnd(5)} ${hex(event.from)}-${hex(event.to)}  ${event.partition.padEnd(8)}  ${event.what}`;
    case 'block':
      return `burn  BLOCK_KEY${event.block}  ${event.purpose}, read- and write-protected  ${USE[event.use]}: cannot be undone`;
    case 'board':
      return `board ${event.mac} at ${event.port}: ${event.blocks.map((state, block) => `KEY${block} ${describeState(state)}`).join(', ')}`;
    case 'keys':
      return event.place === 'registry' ? `${event.hub} has the new keys of ${event.device}` : `give the hub the new keys, then remove ${event.files.join(' and ')}:\n  ${event.line}`;
    case 'folder':
      return `written to ${event.folder}: ${event.files.join(', ')}`;
    case 'unburnt':
      return `nothing was burnt; burn the keys, then remove ${event.files.join(' and ')}:\n  ${event.line}`;
    case 'emulated':
      return `the eFuses of the emulated chip ${event.mac}: ${event.file}`;
    case 'burnt':
      return `BLOCK_KEY${event.block} is burnt: ${event.purpose}, neither readable nor writable`;
    case 'done':
      return `next: ${event.next}`;
  }
}

function describeState(state: BlockState): string {
  if (state.purpose === 'USER' && state.isEmpty && state.isReadable) return 'empty';
  return `${state.purpose}${state.isReadable ? ' readable' : ''}${state.isWritable ? ' writable' : ''}`;
}

const hex = (address: number): string => `0x${address.toString(16).padStart(6, '0')}`;
