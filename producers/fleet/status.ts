import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { listDrained, listHosts } from "../../shared/queue/hosts.ts";
import { queueName } from "../../shared/queue/names.ts";
import type { FleetStatus } from "../contract/fleet.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";
import { automaticStatus } from "../schedules/schedule-status.ts";

const counted = [
  "waiting",
  "active",
  "delayed",
  "prioritized",
  "waiting-children",
  "completed",
  "failed",
] as const;

/** Returns all hosts with a queue or a worker, by name. */
export async function fleetStatus(session: Session): Promise<FleetStatus> {
  const { redis, settings } = session;
  const workers = new Map((await listHosts(redis, settings.prefix)).map((record) => [record.host, record]));
  const drained = await listDrained(redis, settings.prefix);
  const hosts = [...new Set([...(await knownHosts(session)), ...drained.keys()])].sort();
  return {
    automatic: await automaticStatus(session),
    hosts: await Promise.all(
      hosts.map(async (host) => ({
        host,
        queue: queueName(host),
        counts: await countJobs(session.queue(host), redis),
        worker: workers.get(host) ?? null,
        drained: drained.get(host) ?? null,
      })),
    ),
  };
}

/** Jobs that one call of the script looks at: Redis serves no one else meanwhile. */
const perCall = 1000;

/**
 * Counts, of some failed jobs, those that were cancelled and the dry runs, in Redis: BullMQ counts by state alone, and
 * the reasons and data of a thousand jobs are most of a megabyte. As `decodeFailure`, it reads the reason's last line.
 *
 * KEYS: the failed jobs; ARGV: the first and the last to count, the prefix of the jobs' keys.
 */
const countFailed = `
local function member(text, name)
  local isJson, value = pcall(cjson.decode, text)
  return isJson and type(value) == "table" and value[name]
end
local ids = redis.call("zrange", KEYS[1], ARGV[1], ARGV[2])
local cancelled, rehearsed = 0, 0
for _, id in ipairs(ids) do
  local job = redis.call("hmget", ARGV[3] .. id, "failedReason", "data")
  local reason, data = job[1] or "", job[2] or ""
  if string.find(reason, "cancelled", 1, true) and member(string.match(reason, "[^\\n]*$"), "code") == "cancelled" then
    cancelled = cancelled + 1
  elseif string.find(data, "dryRun", 1, true) and member(data, "dryRun") == true then
    rehearsed = rehearsed + 1
  end
end
return { #ids, cancelled, rehearsed }`;

/** Counts jobs by state. A cancelled job, and a dry run that failed, are failed to BullMQ alone. */
async function countJobs(queue: Queue, redis: Redis): Promise<Record<string, number>> {
  const counts = await queue.getJobCounts(...counted);
  let [failed, cancelled] = [0, 0];
  for (let from = 0; from < (counts.failed ?? 0); from += perCall) {
    const range = [from, from + perCall - 1, queue.toKey("")];
    const found = await redis.eval(countFailed, 1, queue.toKey("failed"), ...range);
    const [all, ofUsers, dryRuns] = found as [number, number, number];
    cancelled += ofUsers;
    failed += all - ofUsers - dryRuns;
  }
  return { ...counts, failed, cancelled };
}
