import type { Scenario } from './cases.ts';
import { startOpenSslServer } from './openssl-server.ts';
import type { TlsServer } from './openssl-server.ts';
import { startRawServer } from './raw-server.ts';
import { issue, issueChain } from './pki.ts';
import type { Certificate, CertificateSpec } from './pki.ts';

const chains = new Map<string, Promise<Certificate[]>>();

/** The same specs give the same certificates. */
export function chainOf(specs: readonly CertificateSpec[]): Promise<Certificate[]> {
  const name = JSON.stringify(specs);
  let chain = chains.get(name);
  if (chain === undefined) {
    chain = issueChain(specs);
    chains.set(name, chain);
  }
  return chain;
}

export interface Stage {
  readonly server: TlsServer;
  /** What the client trusts, DER. */
  readonly roots: readonly Buffer[];
}

export async function rootsOf(scenario: Scenario): Promise<Buffer[]> {
  const chain = await chainOf(scenario.chain);
  if (scenario.roots === undefined) return [chain[0]!.der];
  const certificates = scenario.roots.map(async (spec) => {
    const own = scenario.chain.findIndex((other) => JSON.stringify(other) === JSON.stringify(spec));
    return own >= 0 ? chain[own]! : issue(spec);
  });
  return (await Promise.all(certificates)).map(({ der }) => der);
}

/** Starts the scenario's server. */
export async function startStage(scenario: Scenario): Promise<Stage> {
  const chain = await chainOf(scenario.chain);
  const sends = scenario.sends ?? chain.map((_, index) => index).slice(1).reverse();
  const sent = sends.map((index) => chain[index]!);
  const server = scenario.raw === undefined ? await startOpenSslServer(sent, scenario.server) : await startRawServer(sent, { fault: scenario.raw });
  return { server, roots: await rootsOf(scenario) };
}
