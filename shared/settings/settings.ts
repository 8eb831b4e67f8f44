import { lstatSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { homedir, hostname } from "node:os";
import { isAbsolute, join } from "node:path";
import { JobsError } from "../errors.ts";
import { currentUser } from "../process.ts";
import { homeName } from "./home-name.ts";
import { exampleUrl, redisLocation } from "./redis-url.ts";
import { workingDirectory } from "./working-directory.ts";

/** Settings of command and library; each has an environment variable `MTJOBS_…`. */
export interface Settings {
  /** `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`. */
  redisUrl: string;
  /** Independent servers for Redlock; never empty. */
  lockRedisUrls: string[];
  /** Hash-tagged, so that Redis Cluster keeps a queue's keys together. */
  prefix: string;
  /** Also its queue's name. */
  host: string;
  /** This host's address in `.homehost`; undefined: as Megatest computes it. */
  address: string | undefined;
  /** Absolute roots of areas; empty if not set. */
  areas: string[];
  /** Absolute roots of exports; empty: those of areas. */
  exports: string[];
  /** Where Megatest keeps its caches. */
  cacheRoot: string;
  /** The `<user>` in the cache path. */
  user: string;
  /** Bearer token of the HTTP server; undefined: loopback only. */
  token: string | undefined;
  /** JSON file with named tokens of the HTTP server and their roles. */
  tokensFile: string | undefined;
  /** Addresses of proxies whose X-Forwarded headers the HTTP server believes. */
  trustProxy: string[];
  /** Header in which such a proxy names the user. */
  userHeader: string | undefined;
  /** Path below which a proxy serves the HTTP server; "" for none. */
  basePath: string;
  /** Where workers send messages about failed automatic jobs, migrations and the doctor's findings. */
  webhookUrl: string | undefined;
  /** Key of their signatures. */
  webhookSecret: string | undefined;
  /** OTLP/HTTP endpoint; undefined: no spans. */
  tracesUrl: string | undefined;
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
}

/** Reads a value; throws a TypeError that says what it must be. */
type Read<T> = (value: unknown) => T;

function text(pattern: RegExp, must: string): Read<string> {
  return (value) => {
    if (typeof value === "string" && pattern.test(value)) return value;
    throw new TypeError(must);
  };
}

/** Reads an array, or a string split at `separator`; drops blanks and empty items. */
function list(separator: string, item: Read<string>): Read<string[]> {
  return (value) => {
    const items: unknown[] = Array.isArray(value) ? value : String(value).split(separator);
    return items
      .map((each) => (typeof each === "string" ? each.trim() : each))
      .filter((each) => each !== "")
      .map(item);
  };
}

function oneOf<Word extends string>(...words: Word[]): Read<Word> {
  return (value) => {
    const word = words.find((each) => each === value);
    if (word !== undefined) return word;
    throw new TypeError(`must be one of ${words.join(", ")}`);
  };
}

const redisScheme = text(
  /^(rediss?(\+sentinel|\+cluster)?|unix):\/\//,
  'must begin with "redis://", "rediss://", "unix://", "redis+sentinel://" or "redis+cluster://"',
);
const redisUrl: Read<string> = (value) => {
  const url = redisScheme(value);
  try {
    redisLocation(url);
  } catch (error) {
    throw new TypeError((error as JobsError).message);
  }
  return url;
};
const notEmpty = text(/./s, "must not be empty");

/** Only whole addresses: to others, `10.1` is 10.0.0.1. */
const proxyAddress: Read<string> = (value) => {
  const isKnown =
    typeof value === "string" &&
    (/^(loopback|linklocal|uniquelocal)$/.test(value) || isIP(value.replace(/\/\d{1,3}$/, "")) !== 0);
  if (isKnown) return value;
  throw new TypeError("must be addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal");
};

/** `${NAME:-}` or `$NAME`: what a compose or unit file holds, passed on by a program that does not expand it. */
export const isUnexpanded = (text: string): boolean => /^\$(\{.*\}|[A-Z_][A-Z0-9_]*)$/s.test(text);

/** Refuses what stands for a value that was never put in: as a token, it would be one that everyone can read. */
function expanded(read: Read<string>): Read<string> {
  return (value) => {
    if (typeof value !== "string" || !isUnexpanded(value)) return read(value);
    throw new TypeError("must be a value, and is the name of a variable that was not expanded");
  };
}

const settings: { [Name in keyof Settings]: [read: Read<Settings[Name]>, otherwise: () => Settings[Name]] } =
  {
    redisUrl: [redisUrl, () => "redis://127.0.0.1:6379"],
    // Empty: the queue's URL is used.
    lockRedisUrls: [list(",", redisUrl), () => []],
    prefix: [expanded(notEmpty), () => "{mtjobs}"],
    host: [text(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a host name"), hostname],
    address: [text(homeName, "must be a single address or host name, as in .homehost"), () => undefined],
    areas: [list(":", text(/^\//, "must be absolute paths")), () => []],
    exports: [list(":", text(/^\//, "must be absolute paths")), () => []],
    cacheRoot: [text(/^\//, "must be an absolute path"), () => "/tmp"],
    user: [expanded(text(/^[^/\0]+$/, "must be a user name")), () => currentUser().username],
    token: [expanded(notEmpty), () => undefined],
    tokensFile: [text(/^\//, "must be an absolute path"), () => undefined],
    trustProxy: [list(",", proxyAddress), () => []],
    userHeader: [text(/^[A-Za-z][A-Za-z0-9-]*$/, "must be the name of a header"), () => undefined],
    basePath: [
      text(/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/, "must be a path such as /mtjobs, without a slash at its end"),
      () => "",
    ],
    webhookUrl: [expanded(text(/^https?:\/\//, 'must begin with "http://" or "https://"')), () => undefined],
    webhookSecret: [expanded(notEmpty), () => undefined],
    tracesUrl: [text(/^https?:\/\//, 'must begin with "http://" or "https://"'), () => undefined],
    logLevel: [oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"), () => "info"],
  };
const names = Object.keys(settings) as (keyof Settings)[];

/** Settings whose values messages do not show: URLs may contain a password, and a token is one. */
const secretSettings: ReadonlySet<string> = new Set([
  "redisUrl",
  "lockRedisUrls",
  "token",
  "tracesUrl",
  "webhookUrl",
  "webhookSecret",
]);

/** A secret may stand in another setting by mistake: a URL with a password, or a token as the log level. */
function mayShow(name: string, value: unknown): boolean {
  if (name === "logLevel") return /^[A-Za-z]{1,12}$/.test(String(value));
  return !secretSettings.has(name) && !/:\/\/|@/.test(String(value));
}

const examples: Partial<Record<string, string>> = {
  redisUrl: exampleUrl,
  lockRedisUrls: "redis://lock1:6379,redis://lock2:6379,redis://lock3:6379",
  host: "hosta",
  address: "10.0.0.11 or hosta",
  areas: "/areas:/more/areas",
  exports: "/archive",
  cacheRoot: "/tmp",
};

type Layer = Partial<Record<keyof Settings, unknown>>;

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
  /** Its path, for messages. */
  filePath?: string | undefined;
}

/** Resolves settings: flag, then environment, then file, then default. Pure. */
export function resolveSettings(sources: SettingsSources = {}): Settings {
  const { flags = {}, env = {}, file = {}, filePath = "mtjobs.json" } = sources;
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new JobsError("bad-settings", `${filePath} must hold one JSON object`);
  }
  for (const [layer, where] of [
    [file, filePath],
    [flags, "settings"],
  ] as const)
    assertKnown(layer, where);
  const given = names.map((name) => [
    name,
    flags[name] ?? fromEnvironment(env, name) ?? (file as Layer)[name],
  ]);
  const origin = (name: keyof Settings) => {
    if (flags[name] !== undefined && flags[name] !== null)
      return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return fromEnvironment(env, name) === undefined ? `${name} in ${filePath}` : environmentName(name);
  };
  const { lockRedisUrls, ...rest } = readAll(Object.fromEntries(given) as Layer, origin);
  if (/^rediss?\+cluster:/.test(rest.redisUrl) && !/\{[^}]+\}/.test(rest.prefix)) {
    throw badSetting(
      "prefix",
      `must contain a hash tag, such as {${rest.prefix}}, to keep a queue on one node of a cluster`,
      origin("prefix"),
    );
  }
  return { ...rest, lockRedisUrls: lockRedisUrls.length > 0 ? lockRedisUrls : [rest.redisUrl] };
}

/** Returns undefined also for an empty variable. */
function fromEnvironment(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[environmentName(name)] || undefined;
}

function readAll(given: Layer, origin: (name: keyof Settings) => string): Settings {
  const read = <Name extends keyof Settings>(name: Name): Settings[Name] => {
    const [readOne, otherwise] = settings[name];
    try {
      return given[name] === undefined ? otherwise() : readOne(given[name]);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const shown = mayShow(name, given[name]) ? `${JSON.stringify(given[name])?.slice(0, 80)} ` : "";
      throw badSetting(name, shown + error.message, origin(name));
    }
  };
  return Object.fromEntries(names.map((name) => [name, read(name)])) as unknown as Settings;
}

/** @param origin flag, variable or member of the file */
function badSetting(name: string, problem: string, origin: string): JobsError {
  const example = examples[name] === undefined ? "" : `, for example ${examples[name]}`;
  return new JobsError("bad-settings", `setting ${name} (${environmentName(name)}): ${problem}`, {
    hint: `correct ${origin}${example}`,
  });
}

function assertKnown(layer: object, where: string): void {
  const unknown = Object.keys(layer).find((name) => !Object.hasOwn(settings, name));
  if (unknown === undefined) return;
  throw new JobsError("bad-settings", `${where}: unknown setting ${JSON.stringify(unknown)}`, {
    hint: `the settings are ${names.join(", ")}`,
  });
}

/**
 * Reads the first `mtjobs.json` of the working directory and `~/.config/mtjobs/`. Ignores an inaccessible home, as
 * after `su`.
 *
 * @throws JobsError `bad-settings` if the file cannot be read or is not JSON
 */
export function readSettingsFile(
  directories = [workingDirectory(), ...homeSettings()],
): Pick<SettingsSources, "file" | "filePath"> {
  for (const directory of directories) {
    const path = join(directory, "mtjobs.json");
    if (!canSee(path)) continue;
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      throw new JobsError("bad-settings", `${path} cannot be read: ${(error as Error).message}`, {
        cause: error,
        hint: "correct its permissions, or move it away",
      });
    }
    let file: unknown;
    try {
      file = JSON.parse(text);
    } catch (error) {
      // The parser's message quotes the file, which may hold a secret.
      const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0];
      throw new JobsError("bad-settings", `${path} is not JSON${place === undefined ? "" : `, ${place}`}`, {
        hint: "it must hold one JSON object, with all strings in double quotes",
      });
    }
    if (typeof file === "object" && file !== null && !Array.isArray(file)) assertKnown(file, path);
    return { file, filePath: path };
  }
  return {};
}

/** Ignores an empty HOME and users without a home. */
function homeSettings(): string[] {
  try {
    const home = homedir();
    return isAbsolute(home) ? [join(home, ".config", "mtjobs")] : [];
  } catch {
    return [];
  }
}

function canSee(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
