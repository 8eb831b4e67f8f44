import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { JobsError } from "./errors.ts";

/** What the command and the library run with. Every member has an environment variable `MTJOBS_…`. */
export interface Settings {
  /** `redis://`, `rediss://` or `unix://`: the queue. */
  redisUrl: string;
  /** Independent servers for Redlock; never empty. */
  lockRedisUrls: string[];
  /** Key prefix, hash-tagged so that Redis Cluster keeps a queue's keys together. */
  prefix: string;
  /** This host's name, and the name of its queue. */
  host: string;
  /** What this host writes into `.homehost`; undefined: as Megatest computes it. */
  address: string | undefined;
  /** Roots outside which a worker touches nothing, absolute; empty when none was given. */
  areas: string[];
  /** Where Megatest keeps its caches. */
  cacheRoot: string;
  /** The `<user>` in the cache path. */
  user: string;
  /** Bearer token of the HTTP server; undefined: loopback only. */
  token: string | undefined;
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
}

const redisUrl = z
  .string()
  .regex(/^(redis|rediss|unix):\/\//, 'must begin with "redis://", "rediss://" or "unix://"');
const list = (separator: string) =>
  z
    .union([z.array(z.string()), z.string().transform((text) => text.split(separator))])
    .transform((items) => items.map((item) => item.trim()).filter((item) => item !== ""));

const schema = z.strictObject({
  redisUrl: redisUrl.default("redis://127.0.0.1:6379"),
  lockRedisUrls: list(",").pipe(z.array(redisUrl)).default([]),
  prefix: z.string().min(1).default("{mtjobs}"),
  host: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a host name")
    .default(() => hostname()),
  address: z.string().min(1).optional(),
  areas: list(":")
    .pipe(z.array(z.string().startsWith("/", "must be absolute paths")))
    .default([]),
  cacheRoot: z.string().startsWith("/", "must be an absolute path").default("/tmp"),
  user: z
    .string()
    .regex(/^[^/\0]+$/, "must be a user name")
    .default(() => userInfo().username),
  token: z.string().min(1).optional(),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

type Layer = Partial<Record<keyof z.input<typeof schema>, unknown>>;

/** `redisUrl` → `MTJOBS_REDIS_URL`. */
export function environmentName(key: string): string {
  return `MTJOBS_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export interface SettingsSources {
  /** From the command line. */
  flags?: Layer;
  env?: NodeJS.ProcessEnv;
  /** Parsed `mtjobs.json`. */
  file?: unknown;
}

/** Flag, then environment, then file, then default. Pure: reads nothing but its arguments. */
export function resolveSettings({ flags = {}, env = {}, file = {} }: SettingsSources = {}): Settings {
  const fromEnv = Object.fromEntries(
    Object.keys(schema.shape)
      .map((key) => [key, env[environmentName(key)]] as const)
      .filter(([, value]) => value !== undefined && value !== ""),
  );
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new JobsError("bad-settings", "mtjobs.json must hold one JSON object");
  }
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const parsed = schema.safeParse({ ...file, ...fromEnv, ...given });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key =
      issue?.code === "unrecognized_keys" ? String(issue.keys[0]) : String(issue?.path[0] ?? "settings");
    throw new JobsError("bad-settings", `setting ${key} (${environmentName(key)}): ${issue?.message}`, {
      hint: "mend the flag, the environment variable or mtjobs.json",
    });
  }
  const { lockRedisUrls, address, token, ...rest } = parsed.data;
  return {
    ...rest,
    address,
    token,
    lockRedisUrls: lockRedisUrls.length > 0 ? lockRedisUrls : [rest.redisUrl],
  };
}

/** The first `mtjobs.json` of the working directory and `~/.config/mtjobs/`; `{}` where there is none. */
export function readSettingsFile(
  directories = [process.cwd(), join(homedir(), ".config", "mtjobs")],
): unknown {
  for (const directory of directories) {
    const path = join(directory, "mtjobs.json");
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      throw new JobsError("bad-settings", `${path} cannot be read`, { cause: error });
    }
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new JobsError("bad-settings", `${path} is not JSON: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return {};
}
