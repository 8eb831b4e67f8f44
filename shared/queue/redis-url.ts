import type { RedisOptions } from "ioredis";
import { JobsError } from "../errors.ts";

/** One server, a master that Sentinels know, or a cluster. */
export type RedisKind = "server" | "sentinel" | "cluster";

export interface RedisPlace {
  kind: RedisKind;
  /** What a URL names for a cluster: any of its nodes. One server and Sentinels are among the options. */
  nodes: { host: string; port: number }[];
  /** Where and as whom to connect. */
  options: Pick<
    RedisOptions,
    | "host"
    | "port"
    | "path"
    | "username"
    | "password"
    | "db"
    | "tls"
    | "sentinels"
    | "name"
    | "sentinelTLS"
    | "enableTLSForSentinelMode"
  >;
}

const defaultPorts: Record<RedisKind, number> = { server: 6379, sentinel: 26379, cluster: 6379 };

/**
 * Reads `redis://`, `rediss://` and `unix://` (`unix:///path?db=1`), `redis+sentinel://s1,s2:26380/master` and
 * `redis+cluster://n1,n2`; with `rediss+` over TLS.
 *
 * @throws JobsError `bad-settings`, without the password
 */
export function redisPlace(url: string): RedisPlace {
  const [, secure, kind = "server"] = /^redis(s?)(?:\+(sentinel|cluster))?:/.exec(url) ?? [];
  const parsed = new URL(withOneHost(url));
  const path = parsed.pathname.slice(1);
  const login = {
    ...(parsed.username === "" ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(secure === "s" ? { tls: {} } : {}),
  };
  if (parsed.protocol === "unix:")
    return server({ path: decodeURIComponent(parsed.pathname), ...login, ...database(url, parsed, "") });
  const nodes = hostsOf(url).map((each) => nodeOf(url, each, kind as RedisKind));
  if (kind === "cluster") {
    if (path !== "" || parsed.searchParams.has("db")) throw bad(url, "a cluster has no database numbers");
    return { kind, nodes, options: login };
  }
  if (kind === "sentinel") {
    const name = decodeURIComponent(path);
    if (name === "") throw bad(url, "the name of the master is missing: redis+sentinel://host:26379/NAME");
    // By itself ioredis speaks plainly here, whatever is said of TLS for the master.
    const secured = secure === "s" ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {};
    const options = { sentinels: nodes, name, ...login, ...secured, ...database(url, parsed, "") };
    return { kind, nodes, options };
  }
  if (nodes.length > 1) throw bad(url, "one server is one host");
  return server({ ...nodes[0], ...login, ...database(url, parsed, path) });
}

const server = (options: RedisPlace["options"]): RedisPlace => ({ kind: "server", nodes: [], options });

function database(url: string, parsed: URL, path: string): { db?: number } {
  const db = parsed.searchParams.get("db") ?? path;
  if (!/^\d*$/.test(db)) throw bad(url, `"${db}" is not a database number`);
  return db === "" ? {} : { db: Number(db) };
}

/** The part of a URL that names hosts, which may be a list: WHATWG's URL knows one host only. */
const authority = /^([\w+]+:\/\/(?:[^/?#]*@)?)([^/?#]*)/;

function hostsOf(url: string): string[] {
  return (authority.exec(url)?.[2] ?? "").split(",");
}

function withOneHost(url: string): string {
  return url.startsWith("unix:") ? url : url.replace(authority, "$1host");
}

function nodeOf(url: string, text: string, kind: RedisKind): { host: string; port: number } {
  const match = /^(?<host>\[[\da-fA-F:.]+\]|[^:[\]]*)(?::(?<port>\d{1,5}))?$/.exec(text);
  if (match?.groups === undefined) throw bad(url, `"${text}" is not host or host:port`);
  const { host = "", port } = match.groups;
  return {
    host: host.replace(/^\[|\]$/g, "") || "127.0.0.1",
    port: Number(port ?? defaultPorts[kind]),
  };
}

const bad = (url: string, why: string) =>
  new JobsError("bad-settings", `Redis URL ${withoutPassword(url)}: ${why}`);

/** The URL as it may be shown in a message or a log. */
export function withoutPassword(url: string): string {
  return url.replace(/^([\w+]+:\/\/[^:/?#]*):[^/?#]*@/, "$1:***@");
}
