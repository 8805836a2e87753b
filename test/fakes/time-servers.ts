import { AgentBench, type BenchOptions } from './agent-bench.ts';
import type { Answer } from './fake-network.ts';
import { FakeTlsServer } from './fake-tls.ts';
import { ntpAnswer } from './ntp-answer.ts';

/** A bench with two time servers and an HTTPS server that tell the true time, or what is set. */
export function benchWithTime(options: BenchOptions & { date?: boolean } = {}): { bench: AgentBench; servers: { ntpOffMs: number; ntpUp: boolean; dateUp: boolean } } {
  const config = { timeServers: ['ntp0.test', 'ntp1.test'], ...(options.date === false ? {} : { dateServer: 'date.test' }), ...options.config };
  const bench = new AgentBench({ ...options, config });
  const servers = { ntpOffMs: 0, ntpUp: true, dateUp: true };
  const answer: Answer = (query, reply) => {
    if (servers.ntpUp) reply(ntpAnswer(query, bench.port.trueMs + servers.ntpOffMs));
  };
  bench.network.name('ntp0.test', '10.0.0.11');
  bench.network.name('ntp1.test', '10.0.0.12');
  bench.network.name('date.test', '10.0.0.20');
  bench.network.answerDatagrams('10.0.0.11', 123, answer);
  bench.network.answerDatagrams('10.0.0.12', 123, answer);
  bench.network.listen('10.0.0.20', 443, (socket) => {
    const server = new FakeTlsServer(socket);
    server.onPlaintext = () => {
      if (servers.dateUp) server.write(Buffer.from(`HTTP/1.1 200 OK\r\nDate: ${new Date(bench.port.trueMs).toUTCString()}\r\n\r\n`));
      else server.drop();
    };
  });
  return { bench, servers };
}
