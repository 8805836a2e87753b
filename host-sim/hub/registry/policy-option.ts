import { isPermission } from '../access/policies.ts';
import { PERMISSIONS, type Permission } from '../access/sas.ts';
import { HubError } from '../hub-error.ts';

/** A policy from the command line; its keys are generated. */
export interface PolicyOption {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

/** Reads `NAME=Permission,Permission`; RegistryReadWrite, as Azure's documents call it, is both. @throws ERR_POLICY */
export function parsePolicyOption(text: string): PolicyOption {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const words = equals < 0 ? [] : text.slice(equals + 1).split(',').map((word) => word.trim());
  const permissions = words.flatMap((word): Permission[] => {
    if (word === 'RegistryReadWrite') return ['RegistryRead', 'RegistryWrite'];
    if (isPermission(word)) return [word];
    throw new HubError('ERR_POLICY', `policy ${JSON.stringify(name)} has no permission ${JSON.stringify(word)}`, `write NAME=PERMISSION,…; the permissions are ${PERMISSIONS.join(', ')}`);
  });
  return { name, permissions };
}
