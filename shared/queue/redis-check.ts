import type { Redis } from "ioredis";
import { JobsError } from "../errors.ts";
import { withoutPassword } from "../settings/redis-url.ts";

/** The oldest supported version, also of Valkey: major, minor. */
const oldest = [6, 2] as const;

export interface RedisFacts {
  version: string;
  evictionPolicy: string;
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

/**
 * Refuses (`bad-redis`) a server that may lose jobs: too old, or evicting keys. Managed servers forbid CONFIG GET, so
 * INFO is used.
 */
export async function checkRedis(redis: Redis, url: string): Promise<RedisFacts> {
  const info = `${await redis.info("server")}\n${await redis.info("memory")}`;
  const version = field(info, "redis_version");
  const evictionPolicy = field(info, "maxmemory_policy");
  const at = `Redis at ${withoutPassword(url)}`;
  if (!isNewEnough(version)) {
    throw new JobsError(
      "bad-redis",
      `${at} is version ${version || "unknown"}; ${oldest.join(".")} is needed`,
      {
        hint: "use Redis 6.2 or later, or Valkey",
        details: { version },
      },
    );
  }
  if (evictionPolicy !== "noeviction") {
    throw new JobsError(
      "bad-redis",
      `${at} may evict jobs: its maxmemory-policy is ${evictionPolicy || "unknown"}`,
      {
        hint: `run: redis-cli -u '${withoutPassword(url)}' CONFIG SET maxmemory-policy noeviction, and write "maxmemory-policy noeviction" into its configuration file`,
        details: { version, evictionPolicy },
      },
    );
  }
  return { version, evictionPolicy };
}
