import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { failpointFromEnvironment } from "../../shared/failpoint.ts";
import { migrateByHand, type Place, tendBoth } from "./migration-hosts.ts";

/** A migration in a process that a failpoint may kill. With `trouble` something goes wrong between the hosts' parts. */
interface Order extends Place {
  jobId: string;
  /** `conflict`: somebody changes .homehost, so it is undone. `stray`: a process writes to the old cache after all. */
  trouble?: "conflict" | "stray";
  /** The old home's cache. */
  cacheDb: string;
}

const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const options = { ...order, failpoint: failpointFromEnvironment(process.env.MTJOBS_FAILPOINT) };

function between(before: "switch" | "watch"): void {
  if (order.trouble === "conflict" && before === "switch")
    writeFileSync(join(order.area, ".homehost"), "10.9.0.77\n");
  if (order.trouble === "stray" && before === "watch") writeAgainst(order.cacheDb);
}

/** What no honest process does: takes the triggers away and writes. A cache made anew looks the same to us. */
function writeAgainst(cacheDb: string): void {
  const db = new Database(cacheDb, { timeout: 10_000 });
  const names = db.prepare<[], string>(
    "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'mtjobs%'",
  );
  for (const name of names.pluck().all()) db.exec(`DROP TRIGGER "${name}"`);
  db.exec("DROP TABLE mtjobs_closed");
  db.exec(
    "INSERT INTO tests (run_id, testname, item_path, state, status) VALUES (1, 'unnoticed', '', 'COMPLETED', 'PASS')",
  );
  db.close();
}

try {
  await migrateByHand({ ...options, between });
} catch (error) {
  if (order.trouble !== "conflict") throw error;
  writeFileSync(join(order.area, ".homehost"), "10.9.0.1\n");
  await tendBoth(options);
}
