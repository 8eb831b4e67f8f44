import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { failpointFromEnvironment } from "../../../workers/area-db/failpoint.ts";
import { writeAgainst } from "../area/write-against.ts";
import { migrateByHand, type Place, reconcileBoth } from "./migration-hosts.ts";

/** A migration in a process that a failpoint may kill. `trouble` is a problem between the hosts' steps. */
interface Order extends Place {
  jobId: string;
  /** `conflict`: .homehost changes, so the migration is undone. `divergent`: a process writes to the old cache. */
  trouble?: "conflict" | "divergent" | "reused";
  cacheDb: string;
}

const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const options = { ...order, failpoint: failpointFromEnvironment(process.env.MTJOBS_FAILPOINT) };

function between(before: "switch" | "watch"): void {
  if (order.trouble === "conflict" && before === "switch")
    writeFileSync(join(order.area, ".homehost"), "10.9.0.77\n");
  if (order.trouble === "divergent" && before === "watch") writeAgainst(order.cacheDb);
}

try {
  await migrateByHand({ ...options, between });
} catch (error) {
  if (order.trouble !== "conflict") throw error;
  writeFileSync(join(order.area, ".homehost"), "10.9.0.1\n");
  await reconcileBoth(options);
}
