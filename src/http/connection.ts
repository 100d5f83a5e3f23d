import type { Socket } from "node:net";
import type { Peer } from "../access/authenticator.ts";
import { authority } from "./listen-error.ts";

/** A connection that a peer opened, whatever protocol it speaks. Untrusted until a caller has authenticated on it. */
export class Connection {
  readonly peer: Peer;
  /** Address and port of the peer, or `unix`, for the log. */
  readonly name: string;
  readonly socket: Socket;
  /** Closes the connection when its time without an authenticated caller is over. */
  expire: () => void;
  #owner: string | undefined;
  readonly #onTrust: (() => void)[] = [];

  constructor(socket: Socket, peer: Peer) {
    this.socket = socket;
    this.peer = peer;
    this.name = peer.kind === "socket" ? "unix" : authority(peer.address, socket.remotePort ?? 0);
    this.expire = () => socket.destroy();
  }

  /** Name of the caller who authenticated first on this connection; undefined: none has yet. */
  get owner(): string | undefined {
    return this.#owner;
  }

  get isTrusted(): boolean {
    return this.#owner !== undefined;
  }

  /** To be called when a caller has authenticated on this connection. */
  trust(owner: string): void {
    if (this.isTrusted) return;
    this.#owner = owner;
    for (const listener of this.#onTrust.splice(0)) listener();
  }

  /** Calls `listener` when a caller has authenticated, or now if one has. */
  whenTrusted(listener: () => void): void {
    if (this.isTrusted) listener();
    else this.#onTrust.push(listener);
  }
}
