import type { Drained, HostStatus } from "../../shared/contract/queue-records.ts";
import { JobsError } from "../../shared/errors.ts";
import { aliveHostsText, hostNamed, listDrained, listHosts } from "../../shared/queue/hosts.ts";
import { agoText } from "../../shared/text.ts";
import type { Session } from "./session.ts";

export interface Fleet {
  hosts: readonly HostStatus[];
  drained: ReadonlyMap<string, Drained>;
}

export async function readFleet({ redis, settings }: Session): Promise<Fleet> {
  const { prefix } = settings;
  return { hosts: await listHosts(redis, prefix), drained: await listDrained(redis, prefix) };
}

/** Returns the host with that name or address. @throws {JobsError} `unfit-host` if it cannot take an area now */
export function fitTarget(name: string, fleet: Fleet): HostStatus {
  const target = hostNamed(fleet.hosts, name);
  const others = aliveHostsText(fleet.hosts.filter(({ host }) => !fleet.drained.has(host)));
  if (target === undefined) {
    throw new JobsError("unfit-host", `no worker has the name or address ${name}`, {
      hint: `${others}; or start one there: mtjobs worker, with MTJOBS_HOST=${name}`,
      details: { host: name },
    });
  }
  const { host, alive, seenAt } = target;
  if (!alive) {
    throw new JobsError("unfit-host", `the worker of ${host} is gone, last seen ${agoText(seenAt)}`, {
      hint: `start it: mtjobs worker; or choose another: ${others}`,
      details: { host, seenAt },
    });
  }
  const drained = fleet.drained.get(host);
  if (drained !== undefined) {
    throw new JobsError(
      "unfit-host",
      `${host} takes no areas: ${drained.by} drained it ${agoText(drained.at)}`,
      {
        hint: `to let it take areas again: mtjobs undrain ${host}; or choose another: ${others}`,
        details: { host, ...drained },
      },
    );
  }
  return target;
}
