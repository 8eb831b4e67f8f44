import type { CheckReport, MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { HostStatus } from "../../../shared/contract/queue-records.ts";
import { JobsError } from "../../../shared/errors.ts";
import { listDrained } from "../../../shared/queue/hosts.ts";
import { silenceMs } from "../../migrate/checks/in-use.ts";
import { failed, passed } from "../../migrate/checks/refusal.ts";
import type { TargetReport } from "../../migrate/steps/check-target.ts";
import type { CoordinatorIO } from "./coordinator-io.ts";

/** Checks what only Redis can tell. */
export async function hostChecks(
  { payload, context }: CoordinatorIO,
  { fromHome }: TargetReport,
  old: HostStatus | undefined,
): Promise<MigrateCheck[]> {
  const { redis, settings } = context.host;
  const { from, takeover } = payload;
  const checks: MigrateCheck[] = [];
  if (from !== undefined) {
    const isIt = [fromHome, old?.host, old?.address].includes(from);
    checks.push(
      isIt
        ? passed("from", `the homehost is ${from}, as requested`)
        : failed("from", `the homehost is ${fromHome}, not ${from}`),
    );
  }
  if ((await listDrained(redis, settings.prefix)).has(settings.host))
    checks.push(failed("target", `${settings.host} is drained: it accepts no areas`));
  else if (old?.alive !== true && !takeover)
    checks.push(failed("target", `no worker is running on ${fromHome}, the current homehost`));
  return checks;
}

/** Fails if the lost home's worker was seen recently. */
export function lostHomeChecks({ checks }: TargetReport, old: HostStatus | undefined): MigrateCheck[] {
  const seenMs = old === undefined ? Infinity : Date.now() - Date.parse(old.seenAt);
  if (old?.alive !== true && seenMs >= silenceMs) return [];
  const seen = `the worker of ${old?.host} was seen ${Math.round(seenMs / 1000)} s ago`;
  const onFiles = checks.find(({ name, ok }) => name === "signs-of-life" && ok === false);
  return [failed("signs-of-life", onFiles === undefined ? seen : `${onFiles.detail}, and ${seen}`)];
}

/** Builds the refusal of an unconfirmed take-over: a silent worker does not prove a dead host. */
export function unconfirmed(home: string | null): JobsError {
  return new JobsError("unconfirmed", `it was not confirmed that ${home} is off`, {
    hint: "make sure that the host is off, and that its worker starts with it when it comes back; then pass --yes",
  });
}

/** Returns the live servers of the first host that a check names. */
export function serversOf({ checks }: CheckReport): { host: string; pids: number[] } | undefined {
  const { ok, facts } = checks.find(({ name }) => name === "servers") ?? {};
  const servers = (facts?.servers ?? []) as { host: string; pid: number }[];
  const [first] = servers;
  if (ok !== false || first === undefined) return undefined;
  return { host: first.host, pids: servers.filter(({ host }) => host === first.host).map(({ pid }) => pid) };
}

export function stoppedBy({ checks }: CheckReport, host: string): { host: string; pid: number }[] {
  const facts = checks.find(({ name }) => name === "servers")?.facts;
  return ((facts?.stopped ?? []) as number[]).map((pid) => ({ host, pid }));
}
