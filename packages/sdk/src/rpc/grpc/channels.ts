// The connections to one node. A server takes so many streams on a connection and no more; a call beyond them waits,
// without a word, until one of them ends. So watches, which last for hours, are spread over as many connections as they
// need, and leave room for the calls beside them.

import { type ChannelCredentials, type ChannelOptions, Client } from "@grpc/grpc-js";

/** How many watches share a connection; 90. A gateway takes 128 streams on one, the native listener 256, and a proxy
 * should take 100 at least (RFC 9113, 6.5.2). */
const WATCHES_MAX = 90;

interface Channel {
  readonly client: Client;
  watches: number;
}

/** Of one connection, until there are more watches than fit. Their number is bounded by that of the watches. */
export class Channels {
  /** For all that is no watch; its connection is kept. */
  readonly main: Client;
  readonly #channels: Channel[];
  readonly #open: () => Channel;

  constructor(address: string, credentials: ChannelCredentials, options: ChannelOptions) {
    // Else channels to the same address would share one connection.
    const own = { ...options, "grpc.use_local_subchannel_pool": 1 };
    this.#open = () => ({ client: new Client(address, credentials, own), watches: 0 });
    const first = this.#open();
    this.main = first.client;
    this.#channels = [first];
  }

  /** One with room for a watch, and what is to be called when that has ended. */
  take(): [client: Client, giveBack: () => void] {
    const channel = this.#channels.find(({ watches }) => watches < WATCHES_MAX) ?? this.#open();
    if (channel.watches++ === 0 && channel.client !== this.main) this.#channels.push(channel);
    return [channel.client, () => this.#giveBack(channel)];
  }

  close(): void {
    for (const { client } of this.#channels) end(client);
  }

  #giveBack(channel: Channel): void {
    channel.watches--;
    if (channel.watches > 0 || channel.client === this.main) return;
    this.#channels.splice(this.#channels.indexOf(channel), 1);
    end(channel.client);
  }
}

/** Closes it a moment later: one that is closed in the moment in which it was made connects all the same in grpc-js 1.14, and
 * nobody ever closes that connection. */
function end(client: Client): void {
  setImmediate(() => client.close());
}
