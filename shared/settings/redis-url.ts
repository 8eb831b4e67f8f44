import type { RedisOptions } from "ioredis";
import { JobsError } from "../errors.ts";

/** One server, a master known to Sentinels, or a cluster. */
export type RedisKind = "server" | "sentinel" | "cluster";

export interface RedisLocation {
  kind: RedisKind;
  /** A cluster's known nodes. */
  nodes: { host: string; port: number }[];
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

/** For hints. */
export const exampleUrl = "redis://user:password@queue:6379/0";

const defaultPorts: Record<RedisKind, number> = { server: 6379, sentinel: 26379, cluster: 6379 };

/**
 * Parses `redis://`, `unix://` (`unix:///path?db=1`), `redis+sentinel://s1,s2:26380/master` and
 * `redis+cluster://n1,n2`; `rediss` uses TLS.
 *
 * @throws JobsError `bad-settings`, without the password
 */
export function redisLocation(url: string): RedisLocation {
  const [, secure, kind = "server"] = /^redis(s?)(?:\+(sentinel|cluster))?:/.exec(url) ?? [];
  assertEscaped(url);
  const parsed = parse(url);
  const path = parsed.pathname.slice(1);
  const login = {
    ...(parsed.username === "" ? {} : { username: decoded(url, parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decoded(url, parsed.password) }),
    ...(secure === "s" ? { tls: {} } : {}),
  };
  if (parsed.protocol === "unix:")
    return server({ path: decoded(url, parsed.pathname), ...login, ...database(url, parsed, "") });
  const nodes = hostsOf(url).map((each) => nodeOf(url, each, kind as RedisKind));
  if (kind === "cluster") {
    if (path !== "" || parsed.searchParams.has("db")) throw bad(url, "a cluster has no database numbers");
    return { kind, nodes, options: login };
  }
  if (kind === "sentinel") {
    const name = decoded(url, path);
    if (name === "") throw bad(url, "the name of the master is missing: redis+sentinel://host:26379/NAME");
    // By default ioredis connects to Sentinels without TLS.
    const secured = secure === "s" ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {};
    const options = { sentinels: nodes, name, ...login, ...secured, ...database(url, parsed, "") };
    return { kind, nodes, options };
  }
  if (nodes.length > 1) throw bad(url, "a single server has only one host");
  return server({ ...nodes[0], ...login, ...database(url, parsed, path) });
}

const server = (options: RedisLocation["options"]): RedisLocation => ({ kind: "server", nodes: [], options });

function database(url: string, parsed: URL, path: string): { db?: number } {
  const db = parsed.searchParams.get("db") ?? path;
  if (!/^\d*$/.test(db)) throw bad(url, "the part after the host is not a database number");
  return db === "" ? {} : { db: Number(db) };
}

/** WHATWG's URL cannot parse a host list. */
const authority = /^([\w+]+:\/\/(?:[^/?#]*@)?)([^/?#]*)/;

function hostsOf(url: string): string[] {
  return (authority.exec(url)?.[2] ?? "").split(",");
}

function withOneHost(url: string): string {
  return url.startsWith("unix:") ? url : url.replace(authority, "$1host");
}

function nodeOf(url: string, text: string, kind: RedisKind): { host: string; port: number } {
  const match = /^(?<host>\[[\da-fA-F:.]+\]|[^:[\]]*)(?::(?<port>\d{1,5}))?$/.exec(text);
  if (match?.groups === undefined) throw bad(url, "expected host or host:port");
  const { host = "", port } = match.groups;
  return {
    host: host.replace(/^\[|\]$/g, "") || "127.0.0.1",
    port: Number(port ?? defaultPorts[kind]),
  };
}

const bad = (url: string, why: string) =>
  new JobsError("bad-settings", `Redis URL ${withoutPassword(url)}: ${why}`, {
    hint: `see MTJOBS_REDIS_URL and MTJOBS_LOCK_REDIS_URLS; for example ${exampleUrl}`,
  });

/** Refuses characters that would be read as host, path or query. */
function assertEscaped(url: string): void {
  const { login = "", rest = "" } = urlFields(url);
  if (
    /[/?#]/.test(login) ||
    /%(?![\da-f]{2})/i.test(login) ||
    (url.startsWith("unix:") && !rest.startsWith("/"))
  ) {
    throw bad(
      url,
      "in the user and password, the characters / ? # and % must be percent-encoded (%2F, %3F, %23, %25); a socket path must be absolute",
    );
  }
}

function parse(url: string): URL {
  // WHATWG's URL requires a host after a login.
  const plain = url.startsWith("unix:") ? url.replace(/^(unix:\/\/[^/]*@)/, "$1localhost") : withOneHost(url);
  try {
    return new URL(plain);
  } catch {
    // The original error contains the URL.
    throw bad(url, "it cannot be parsed");
  }
}

function decoded(url: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad(url, "a % in it is not followed by two hexadecimal digits");
  }
}

interface UrlFields {
  scheme?: string;
  /** Everything before the last `@`. */
  login?: string | undefined;
  rest?: string;
}

function urlFields(url: string): UrlFields {
  const [, scheme, after = ""] = /^([a-z+]+:\/\/)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return {};
  const at = scheme === "unix://" && after.startsWith("/") ? -1 : after.lastIndexOf("@");
  return { scheme, login: at < 0 ? undefined : after.slice(0, at), rest: after.slice(at + 1) };
}

const shownHosts = /^(\[[\da-f:.]+\]|[a-z\d._-]*)(:\d{1,5})?(,(\[[\da-f:.]+\]|[a-z\d._-]*)(:\d{1,5})?)*$/i;

/** Replaces the password by `***`, and everything that may be part of an unescaped one. */
export function withoutPassword(url: string): string {
  const { scheme, login, rest = "" } = urlFields(url);
  if (scheme === undefined) return "***";
  const user = login?.includes(":") === true ? `${login.slice(0, login.indexOf(":"))}:` : "";
  const shownLogin = login === undefined ? "" : `${/[/?#%]/.test(user) ? "" : user}***@`;
  const [, hosts = "", path = "", query = ""] = /^([^/?#]*)([^?#]*)(.*)$/s.exec(rest) ?? [];
  if (scheme === "unix://") return `${scheme}${shownLogin}${hosts === "" ? path : "***"}${shownQuery(query)}`;
  const shown = shownHosts.test(hosts) ? hosts : "***";
  const isPlain = path === "" || /^\/\d*$/.test(path) || /sentinel/.test(scheme);
  return `${scheme}${shownLogin}${shown}${isPlain ? path : "/***"}${shownQuery(query)}`;
}

const shownQuery = (query: string) => (query === "" || /^\?db=\d*$/.test(query) ? query : "?***");
