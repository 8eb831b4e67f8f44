import { connect } from "node:net";
import { redisLocation } from "../settings/redis-url.ts";

/** How long a server may take to refuse a new connection, ms. */
const patience = 300;

/**
 * Returns the error with which a server refuses every connection, before any command: protected mode, or too many
 * clients. It closes the connection at once, and ioredis, which writes first, often sees only that. Undefined if the
 * server waits for a command, as it should, or cannot be asked like this (TLS, Sentinel, cluster).
 */
export async function greeting(url: string): Promise<Error | undefined> {
  const { kind, options } = redisLocation(url);
  const { host = "localhost", port = 6379, path, tls } = options;
  if (kind !== "server" || tls !== undefined) return undefined;
  return await new Promise((resolve) => {
    const socket = path === undefined ? connect(port, host) : connect(path);
    let text = "";
    const end = () => {
      socket.destroy();
      const [, message] = /^-([^\r\n]*)/.exec(text) ?? [];
      resolve(message === undefined ? undefined : Object.assign(new Error(message), { name: "ReplyError" }));
    };
    socket.setEncoding("utf8").setTimeout(patience, end);
    socket.on("data", (piece: string) => {
      text += piece;
      if (text.includes("\n")) end();
    });
    socket.on("error", end).on("close", end);
  });
}
