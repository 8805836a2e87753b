import type { DevelopmentPki } from '../../../certs/development-pki.ts';
import type { BoardVariant } from '../../../host-sim/board/build.ts';
import { createTestPki } from '../../fakes/agent-board-pki.ts';
import { HUB_NAME, type DeviceSettings } from '../../fakes/agent-board-device.ts';
import { MqttPeer, type PeerConnection, type PeerScript } from '../../fakes/agent-board-peer.ts';
import { AgentBoard, buildAgent } from '../../fakes/agent-board.ts';
import type { Stage } from './packet-cases.ts';

const HUB_ADDRESS = '192.0.2.1';
/** After many losses the waits between two tries are minutes. */
export const RECOVERY_LIMIT_MS = 1_800_000;

/** One agent on a board and one server of ours, which turns bad and good again while the board goes on. */
export class Arena {
  readonly board: AgentBoard;
  readonly pki: DevelopmentPki;
  /** Where the hub's name leads to. */
  peer: MqttPeer;

  private constructor(board: AgentBoard, pki: DevelopmentPki) {
    this.board = board;
    this.pki = pki;
    this.peer = new MqttPeer(pki, board.clock);
    board.names.set(HUB_NAME, HUB_ADDRESS);
    this.#publish();
  }

  /** Another server in the place of the one that was: it has no memory. */
  replacePeer(): void {
    const old = this.peer;
    this.peer = new MqttPeer(this.pki, this.board.clock);
    this.#publish();
    old.dropConnections();
  }

  #publish(): void {
    this.board.tcp.set(`${HUB_ADDRESS}:8883`, this.peer.accept);
  }

  /** Builds what is needed and comes online. */
  static async open(settings: DeviceSettings = {}, variant: BoardVariant = '32-bit'): Promise<Arena> {
    const [programs, pki] = await Promise.all([buildAgent(variant), createTestPki()]);
    const board = new AgentBoard({ roots: [pki.root.certificateDer], keys: [KEY], settings });
    const arena = new Arena(board, pki);
    board.start(programs);
    await board.untilEvent('connected');
    return arena;
  }

  get nowMs(): number {
    return this.board.clock.monotonicMs();
  }

  /** Breaks the connection, so that the device comes again and meets `script`. */
  turn(script: PeerScript): void {
    this.peer.script = script;
    this.peer.dropConnections();
  }

  /** The usual server, but for the bytes of one of its answers. */
  scriptOf(stage: Stage, digits: string): PeerScript {
    const write = (connection: PeerConnection, messageId = 0): void => connection.writeHex(digits.replaceAll('{id}', messageId.toString(16).padStart(4, '0')));
    switch (stage) {
      case 'connect':
        return { onConnect: (connection) => write(connection) };
      case 'subscribe':
      case 'idle':
        return { onSubscribe: (connection, { messageId }) => write(connection, messageId) };
      case 'publish':
        return {
          onPublish: (connection, { messageId }) => {
            if (digits.includes('40 02 {id}')) this.peer.acknowledged.add(this.peer.received.at(-1)!.n);
            write(connection, messageId);
          },
        };
    }
  }

  /** The server turns good; until the device is online and everything that it has sent is acknowledged. */
  async recover(): Promise<void> {
    this.peer.script = {};
    await this.board.until('online again, and nothing lost', () => this.isOnline && this.hasAll(), RECOVERY_LIMIT_MS);
  }

  get isOnline(): boolean {
    return this.board.lines.findLast(({ event }) => event === 'connected' || event === 'disconnected')?.event === 'connected';
  }

  /** Everything that came to the present server was acknowledged by it. */
  hasAll(): boolean {
    return this.peer.acknowledged.size === this.peer.numbers.size;
  }
}

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1);
