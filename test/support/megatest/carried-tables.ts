/**
 * Megatest's list of what its sync carries, written down a second time on purpose: the emulation must not agree
 * with the code under test by sharing it.
 */
export interface CarriedTable {
  table: string;
  /** The first column identifies rows. */
  columns: readonly string[];
}

const words = (text: string): string[] => text.trim().split(/\s+/);

/**
 * Returns the tables in the order of a sync. `keys` are the area's target keys.
 *
 * @param lastUpdate true for the kind that carries `last_update`: since mid-2017, 1.6428 of v1.64 and 1.6506, not
 *   1.6501
 */
export function carriedTables(keys: readonly string[], lastUpdate = false): CarriedTable[] {
  const timed = new Set(lastUpdate ? ["runs", "tests", "test_steps", "test_data"] : []);
  return undated(keys).map(({ table, columns }) => ({
    table,
    columns: timed.has(table) ? [...columns, "last_update"] : columns,
  }));
}

function undated(keys: readonly string[]): CarriedTable[] {
  return [
    { table: "keys", columns: words("id fieldname fieldtype") },
    { table: "metadat", columns: words("var val") },
    {
      table: "runs",
      columns: [
        "id",
        ...keys,
        ...words("runname contour state status owner event_time comment fail_count pass_count"),
      ],
    },
    {
      table: "test_meta",
      columns: words("id testname owner description reviewed iterated avg_runtime avg_disk tags jobgroup"),
    },
    {
      table: "tests",
      columns:
        words(`id run_id testname host cpuload diskfree uname rundir shortdir item_path state status attemptnum
        final_logf logdat run_duration comment event_time fail_count pass_count archived`),
    },
    { table: "test_steps", columns: words("id test_id stepname state status event_time comment logfile") },
    {
      table: "test_data",
      columns: words("id test_id category variable value expected tol units comment status type"),
    },
  ];
}
