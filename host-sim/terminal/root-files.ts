import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { projectPath } from '../board/project-path.ts';
import { CliError, EXIT } from './cli-error.ts';

/** The roots that Azure's chains lead to today and from 2026 on (certs/README.md). */
const PUBLIC_ROOT_FILES = ['certs/digicert-global-root-g2.der', 'certs/microsoft-rsa-root-2017.der'];
/** As many as the application reads (firmware/app/settings.ts). */
const MAX_ROOTS = 8;
/** A value of NVS. */
const MAX_ROOT_BYTES = 4000;

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Certificates in DER out of PEM or DER files; Azure's public roots when none are named. @throws ERR_ROOTS */
export function readRoots(files: readonly string[] = PUBLIC_ROOT_FILES.map(projectPath)): readonly Uint8Array[] {
  const roots = files.flatMap(readRootFile);
  if (roots.length > MAX_ROOTS) throw new CliError('ERR_ROOTS', EXIT.configuration, `${roots.length} roots are too many`, `give ${MAX_ROOTS} at most`);
  return roots;
}

function readRootFile(file: string): Uint8Array[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CliError('ERR_ROOTS', EXIT.configuration, `cannot read ${file}`, 'check the path and that this user may read the file', { cause });
  }
  const blocks: readonly (Buffer | string)[] = bytes.toString('latin1').match(PEM_BLOCK) ?? [bytes];
  return blocks.map((block) => {
    try {
      const der = new X509Certificate(block).raw;
      if (der.length > MAX_ROOT_BYTES) throw new RangeError(`${der.length} bytes`);
      return der;
    } catch (cause) {
      throw new CliError('ERR_ROOTS', EXIT.configuration, `${file} holds no certificate that can be used`, `give a certificate in PEM or DER, of at most ${MAX_ROOT_BYTES} bytes`, { cause });
    }
  });
}
