import { listHosts } from "../shared/queue/hosts.ts";
import { queueName, redisKey } from "../shared/queue/names.ts";
import type { Session } from "./session.ts";

/**
 * Returns every host with a queue, sorted: hosts with a worker, this host, and hosts that only have waiting jobs
 * (tools in other languages may add to a queue that no worker has served yet).
 */
export async function knownHosts({ redis, settings }: Session): Promise<string[]> {
  const { prefix, host } = settings;
  const hosts = new Set([host, ...(await listHosts(redis, prefix)).map((record) => record.host)]);
  const stem = redisKey(prefix, queueName(""));
  const counter = ":id";
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${escapeGlob(stem)}*${counter}`, "COUNT", 1000);
    for (const key of keys) hosts.add(key.slice(stem.length, -counter.length));
    cursor = next;
  } while (cursor !== "0");
  return [...hosts].sort();
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}
