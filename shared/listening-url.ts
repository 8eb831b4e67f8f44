import type { AddressInfo } from "node:net";

/** Where a server that listens is to be found. */
export function listeningUrl({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
