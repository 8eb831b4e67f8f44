// Repeats queries in full-db mode until it is told to stop, then reports every different result. Started by
// count-meanwhile.ts; uses the built library.
import { FullDb } from "../../../producers/full-db/full-db.ts";

const { files, queries, options } = JSON.parse(process.argv[2]);
const db = new FullDb(files, options);
const asked = queries.map((sql) => db.prepare(sql));
const ask = () => asked.map((query) => JSON.stringify(query.all()));
const onMain = db.connection.prepare("SELECT count(*) FROM main.runs WHERE state <> 'deleted'").pluck();

const expected = ask();
const wrong = [];
const runsOnMain = new Set();
let rounds = 0;
let stopped = false;

function look() {
  if (stopped) return;
  for (const [index, answer] of ask().entries()) {
    if (answer !== expected[index]) wrong.push({ sql: queries[index], expected: expected[index], answer });
  }
  runsOnMain.add(onMain.get());
  rounds += 1;
  setImmediate(look);
}

look();
process.on("message", () => {
  stopped = true;
  db.close();
  process.send({ rounds, wrong: wrong.slice(0, 5), times: wrong.length, runsOnMain: [...runsOnMain] });
  process.disconnect();
});
process.send("ready");
