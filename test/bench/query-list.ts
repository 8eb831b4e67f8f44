/** A query with its parameters, and what it is a kind of. */
export interface BenchQuery {
  name: string;
  sql: string;
  parameters?: (string | number)[];
}

/** Of what the queries ask: a run that moved, one that stayed, a test of the former, and the week it is named after. */
export interface Subject {
  run: number;
  kept: number;
  test: number;
  week: string;
}

/** The kinds of query that Megatest makes. */
export function megatestQueries({ run, kept, test, week }: Subject): BenchQuery[] {
  return [
    {
      name: "runs by pattern",
      sql: "SELECT * FROM runs WHERE runname LIKE ? AND state <> 'deleted'",
      parameters: [`${week}%`],
    },
    {
      name: "runs by glob and target",
      sql: "SELECT id, runname, state, status, owner, event_time FROM runs WHERE runname GLOB 'w*' AND sysname LIKE 'ubuntu%'",
    },
    { name: "one run by id", sql: "SELECT * FROM runs WHERE id = ?", parameters: [run] },
    { name: "tests of a moved run", sql: "SELECT * FROM tests WHERE run_id = ?", parameters: [run] },
    { name: "tests of a kept run", sql: "SELECT * FROM tests WHERE run_id = ?", parameters: [kept] },
    {
      name: "failed tests of a run",
      sql: "SELECT id, testname, item_path, state, status FROM tests WHERE run_id = ? AND state = 'COMPLETED' AND status IN ('FAIL', 'CHECK')",
      parameters: [run],
    },
    { name: "one test by id", sql: "SELECT * FROM tests WHERE id = ?", parameters: [test] },
    {
      name: "steps of a test",
      sql: "SELECT id, test_id, stepname, state, status, event_time, logfile FROM test_steps WHERE test_id = ? ORDER BY id",
      parameters: [test],
    },
    { name: "data of a test", sql: "SELECT * FROM test_data WHERE test_id = ?", parameters: [test] },
    {
      name: "counts by state and status of a run",
      sql: "SELECT state, status, count(*) FROM tests WHERE run_id = ? GROUP BY state, status",
      parameters: [run],
    },
    {
      name: "counts by state and status of all",
      sql: "SELECT state, status, count(*) FROM tests GROUP BY state, status",
    },
    {
      name: "tests and their runs",
      sql: "SELECT r.runname, t.testname, t.item_path, t.state, t.status FROM runs AS r INNER JOIN tests AS t ON t.run_id = r.id WHERE r.runname LIKE ?",
      parameters: [`${week}%`],
    },
    {
      name: "steps of a run",
      sql: "SELECT t.testname, s.stepname, s.status FROM tests AS t INNER JOIN test_steps AS s ON s.test_id = t.id WHERE t.run_id = ?",
      parameters: [run],
    },
    {
      name: "data of a run",
      sql: "SELECT r.runname, t.testname, d.variable, d.value FROM runs AS r INNER JOIN tests AS t ON t.run_id = r.id INNER JOIN test_data AS d ON d.test_id = t.id WHERE r.id = ?",
      parameters: [run],
    },
  ];
}

/** Joins as people write them, which SQLite cannot merge with a view of two sides. */
export function joinQueries({ run, week }: Subject): BenchQuery[] {
  return [
    {
      name: "ORDER BY a column of each",
      sql: "SELECT r.runname, t.testname, t.item_path FROM runs r JOIN tests t ON t.run_id = r.id WHERE r.runname LIKE ? ORDER BY t.event_time DESC, t.id",
      parameters: [`${week}%`],
    },
    {
      name: "ORDER BY and LIMIT",
      sql: "SELECT r.runname, t.testname FROM runs r JOIN tests t ON t.run_id = r.id ORDER BY t.id DESC LIMIT 20",
    },
    {
      name: "LEFT JOIN",
      sql: "SELECT t.testname, s.stepname, s.status FROM tests t LEFT JOIN test_steps s ON s.test_id = t.id AND s.status = '1' WHERE t.run_id = ?",
      parameters: [run],
    },
    {
      name: "LEFT JOIN of three and ORDER BY",
      sql: "SELECT r.runname, t.testname, s.stepname FROM runs r LEFT JOIN tests t ON t.run_id = r.id LEFT JOIN test_steps s ON s.test_id = t.id WHERE r.id = ? ORDER BY t.id, s.id",
      parameters: [run],
    },
    {
      name: "four tables, ORDER BY, LIMIT",
      sql: "SELECT * FROM runs r JOIN tests t ON t.run_id = r.id JOIN test_steps s ON s.test_id = t.id JOIN test_data d ON d.test_id = t.id WHERE r.id = ? ORDER BY d.value LIMIT 50",
      parameters: [run],
    },
    {
      name: "GROUP BY run",
      sql: "SELECT r.id, r.runname, count(t.id) AS n, sum(t.status = 'FAIL') AS failed FROM runs r LEFT JOIN tests t ON t.run_id = r.id GROUP BY r.id ORDER BY failed DESC, r.id LIMIT 10",
    },
    {
      name: "GROUP BY a name",
      sql: "SELECT t.testname, count(*) AS n, avg(d.value) FROM tests t JOIN test_data d ON d.test_id = t.id WHERE t.run_id BETWEEN ? AND ? GROUP BY t.testname ORDER BY n DESC, 1",
      parameters: [run, run + 20],
    },
    {
      name: "GROUP BY over all runs",
      sql: "SELECT r.sysname, t.state, count(*) FROM runs r JOIN tests t ON t.run_id = r.id GROUP BY r.sysname, t.state ORDER BY 1, 2",
    },
    {
      name: "DISTINCT",
      sql: "SELECT DISTINCT t.testname, s.stepname FROM tests t JOIN test_steps s ON s.test_id = t.id WHERE t.run_id = ? ORDER BY 1, 2",
      parameters: [run],
    },
    {
      name: "join in a sub-select",
      sql: "SELECT runname, testname FROM (SELECT r.runname, t.testname, t.event_time FROM runs r JOIN tests t ON t.run_id = r.id WHERE r.id = ?) ORDER BY event_time, testname LIMIT 30",
      parameters: [run],
    },
    {
      name: "counted in a sub-select",
      sql: "SELECT r.id, r.runname, (SELECT count(*) FROM tests t WHERE t.run_id = r.id AND t.status = 'FAIL') AS failed FROM runs r WHERE r.runname LIKE ? ORDER BY r.id",
      parameters: [`${week}%`],
    },
    {
      name: "IN a sub-select",
      sql: "SELECT t.id, t.testname FROM tests t JOIN runs r ON r.id = t.run_id WHERE t.id IN (SELECT s.test_id FROM test_steps s JOIN tests u ON u.id = s.test_id WHERE u.run_id = ? AND s.status = '1' ORDER BY s.id LIMIT 40) ORDER BY t.id",
      parameters: [run],
    },
  ];
}
