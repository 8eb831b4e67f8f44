import type { RedisOptions } from "ioredis";
import { JobsError } from "../errors.ts";

type RedisAddress = Pick<RedisOptions, "host" | "port" | "path" | "username" | "password" | "db" | "tls">;

/** Where and as whom to connect: `redis://`, `rediss://` and `unix://` (`unix:///path?db=1`). */
export function redisAddress(url: string): RedisAddress {
  const parsed = new URL(url);
  const unix = parsed.protocol === "unix:";
  const db = parsed.searchParams.get("db") ?? (unix ? "" : parsed.pathname.slice(1));
  if (!/^\d*$/.test(db)) {
    throw new JobsError(
      "bad-settings",
      `Redis URL ${withoutPassword(url)}: "${db}" is not a database number`,
    );
  }
  return {
    ...(unix
      ? { path: decodeURIComponent(parsed.pathname) }
      : { host: parsed.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1", port: Number(parsed.port || 6379) }),
    ...(parsed.username === "" ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(db === "" ? {} : { db: Number(db) }),
    ...(parsed.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

/** The URL as it may be shown in a message or a log. */
export function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== "") parsed.password = "***";
  return parsed.href;
}
