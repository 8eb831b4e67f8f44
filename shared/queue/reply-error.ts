import { JobsError } from "../errors.ts";
import { withoutPassword } from "../settings/redis-url.ts";

interface Refusal {
  /** The reply's error code, or the start of an `ERR` reply. */
  reply: RegExp;
  /** The same command can succeed later. */
  passes: boolean;
  hint: string;
}

/** Source: the error replies of Redis 6.2 to 8 and Valkey (`shared.*err` in server.c, acl.c, networking.c). */
const refusals: readonly Refusal[] = [
  {
    reply: /^(WRONGPASS|NOAUTH|ERR invalid password|ERR Client sent AUTH|ERR AUTH )/,
    passes: false,
    hint: "check user and password in MTJOBS_REDIS_URL",
  },
  {
    reply: /^NOPERM/,
    passes: false,
    hint: "give this user the rights that docs/deploy.md lists (ACL SETUSER)",
  },
  {
    reply: /^(ERR DB index is out of range|ERR invalid DB index|ERR SELECT is not allowed)/,
    passes: false,
    hint: "check the database number in MTJOBS_REDIS_URL; the server's setting `databases` says how many there are",
  },
  {
    reply: /^DENIED/,
    passes: false,
    hint: "set a password or `protected-mode no` on the server, or use an address of its loopback interface",
  },
  { reply: /^LOADING/, passes: true, hint: "Redis is starting; try again when it has loaded its data" },
  {
    reply: /^BUSY\b/,
    passes: true,
    hint: "another client's script is running; wait for it, or end it with redis-cli SCRIPT KILL",
  },
  {
    reply: /^MISCONF/,
    passes: true,
    hint: "Redis cannot save its data and rejects writes; check its log (usually the disk is full)",
  },
  {
    reply: /^OOM/,
    passes: true,
    hint: "Redis has reached its maxmemory; raise it, or delete data",
  },
  {
    reply: /^READONLY/,
    passes: true,
    hint: "this server is a replica; wait until the failover ends, or set MTJOBS_REDIS_URL to the master",
  },
  { reply: /^MASTERDOWN/, passes: true, hint: "this server is a replica that has lost its master" },
  { reply: /^(CLUSTERDOWN|TRYAGAIN)/, passes: true, hint: "check CLUSTER INFO and the logs of the nodes" },
  { reply: /^NOREPLICAS/, passes: true, hint: "start the replicas that min-replicas-to-write asks for" },
  {
    reply: /^ERR max number of clients/,
    passes: true,
    hint: "raise maxclients on the server, or end idle clients",
  },
];

/** Redis 6.2 prefixes an error within a script. */
const inScript = /^ERR Error running script .*?: -?(?=[A-Z]{3,} )/;

/** Returns false for a failed connection. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** Returns what a node of a cluster answered; ioredis keeps the last one's answer. Otherwise the error itself. */
function replyIn(error: unknown): unknown {
  return error instanceof Error && "lastNodeError" in error ? error.lastNodeError : error;
}

/**
 * Builds the error of a refusal in Redis's own words: `bad-redis`; `details.reply` is the reply's code, and
 * `details.temporary` is true if the same command can succeed later. Undefined for any other error. The hint names
 * the setting of the URL.
 */
export function replyError(
  thrown: unknown,
  url: string,
  setting = "MTJOBS_REDIS_URL",
): JobsError | undefined {
  const error = replyIn(thrown);
  if (!isReply(error)) return undefined;
  const message = error.message.replace(inScript, "");
  const refusal = refusals.find(({ reply }) => reply.test(message));
  if (refusal === undefined) return undefined;
  const at = withoutPassword(url);
  const [reply = ""] = message.split(" ", 1);
  const temporary = refusal.passes;
  return new JobsError(
    "bad-redis",
    `Redis at ${at} ${temporary ? "accepts no commands now" : "refuses access"}: ${message}`,
    {
      hint: refusal.hint.replace("MTJOBS_REDIS_URL", setting),
      cause: error,
      details: { url: at, reply, temporary },
    },
  );
}

/** Returns true if Redis answered that it accepts no commands for a while. */
export function isTransient(error: unknown): boolean {
  return error instanceof JobsError && error.code === "bad-redis" && error.details?.temporary === true;
}

/** Returns true if Redis is unreachable, or accepts no commands for a while: the same may succeed later. */
export function isOutage(error: unknown): boolean {
  return (error instanceof JobsError && error.code === "redis-unreachable") || isTransient(error);
}
