import fc from "fast-check";

/** A generated query; if `ordered`, its rows have a total order, otherwise only their set is defined. */
export interface GeneratedQuery {
  sql: string;
  parameters: (string | number)[];
  ordered: boolean;
}

type Table = "runs" | "tests" | "test_steps" | "test_data";

const columns: Record<Table, readonly string[]> = {
  runs: ["id", "runname", "sysname", "state", "event_time"],
  tests: ["id", "run_id", "testname", "item_path", "state", "status", "event_time", "archived"],
  test_steps: ["id", "test_id", "stepname", "state", "status", "comment"],
  test_data: ["id", "test_id", "category", "variable", "value", "units"],
};

/** Each table of a join after the first has the columns that link it to an earlier one. */
const shapes: readonly (readonly [Table, string?, number?][])[] = [
  [["runs"]],
  [["tests"]],
  [["test_steps"]],
  [["runs"], ["tests", "run_id = id", 0]],
  [["tests"], ["runs", "id = run_id", 0]],
  [["tests"], ["test_steps", "test_id = id", 0]],
  [["test_steps"], ["tests", "id = test_id", 0]],
  [["test_steps"], ["test_data", "test_id = test_id", 0]],
  [["runs"], ["tests", "run_id = id", 0], ["test_steps", "test_id = id", 1]],
  [["runs"], ["tests", "run_id = id", 0], ["test_data", "test_id = id", 1]],
  [["test_data"], ["tests", "id = test_id", 0], ["runs", "id = run_id", 1]],
  [["tests"], ["tests", "run_id = run_id", 0]],
  [
    ["runs"],
    ["tests", "run_id = id", 0],
    ["test_steps", "test_id = id", 1],
    ["test_data", "test_id = id", 1],
  ],
  // Nothing links a row to its database: only the views can answer.
  [["runs"], ["tests", "state = state", 0]],
];

interface Source {
  table: Table;
  alias: string;
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);

function column(sources: readonly Source[]): fc.Arbitrary<string> {
  return pick(sources).chain(({ table, alias }) =>
    fc.tuple(pick(columns[table]), pick(["plain", "quoted", "brackets"])).map(([name, quoting]) => {
      if (quoting === "quoted") return `"${alias}"."${name.toUpperCase()}"`;
      return quoting === "brackets" ? `[${alias}].${name}` : `${alias}.${name}`;
    }),
  );
}

function condition(sources: readonly Source[]): fc.Arbitrary<string> {
  const simple = column(sources).chain((name) =>
    pick([
      `${name} > 5`,
      `${name} = 3`,
      `${name} IN (1, 2, 3, 'PASS', 'end', 'COMPLETED')`,
      `${name} LIKE '%a%'`,
      `${name} IS NULL`,
      `${name} BETWEEN 2 AND 40`,
      `${name} IS NOT DISTINCT FROM 'PASS'`,
      `CASE WHEN ${name} = 1 AND 1 THEN 0 ELSE 1 END`,
      `${name} = '7' /* a comment, AND more */`,
      `${name} IN (SELECT id FROM tests WHERE status = 'PASS' ORDER BY id LIMIT 9)`,
      `EXISTS (SELECT 1 FROM tests AS inner_t JOIN runs AS inner_r ON inner_r.id = inner_t.run_id WHERE inner_t.id = ${name})`,
    ]),
  );
  const both = (word: string) => fc.tuple(simple, simple).map(([a, b]) => `(${a} ${word} ${b})`);
  return fc.oneof({ weight: 4, arbitrary: simple }, both("OR"), both("AND"));
}

/** Returns FROM and the matching WHERE; links may be in either. */
function joinOf(
  shape: (typeof shapes)[number],
): fc.Arbitrary<{ sources: Source[]; from: string; where: string[] }> {
  const aliased = fc.tuple(...shape.map(() => fc.boolean()));
  const kinds = fc.tuple(
    ...shape.map(() => pick(["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", ",", "CROSS JOIN"])),
  );
  return fc.tuple(aliased, kinds, fc.boolean()).chain(([as, kind, extra]) => {
    const twice = new Set(shape.map(([table]) => table)).size < shape.length;
    const sources = shape.map(([table], index) => ({
      table,
      alias: as[index] === true || twice ? `t${index}` : table,
    }));
    return condition(sources).map((more) => {
      const where: string[] = [];
      const from = shape.map(([table, link, to], index) => {
        const alias = sources[index]?.alias as string;
        const name = alias === table ? table : `${table} ${index % 2 === 0 ? "AS " : ""}${alias}`;
        if (link === undefined || to === undefined) return name;
        const [own, other] = link.split(" = ");
        const equal = `${alias}.${own} = ${sources[to]?.alias}.${other}`;
        const operator = kind[index] as string;
        if (operator === ",") {
          where.push(equal);
          return `, ${name}`;
        }
        const last = index === shape.length - 1 && extra;
        return ` ${operator} ${name} ON ${equal}${last ? ` AND ${more}` : ""}`;
      });
      return { sources, from: from.join(""), where };
    });
  });
}

function plain(sources: readonly Source[], from: string, where: string): fc.Arbitrary<GeneratedQuery> {
  const list = fc.oneof(
    fc.constant("*"),
    fc.constant(`${sources[0]?.alias}.*, 1 AS one`),
    fc.array(column(sources), { minLength: 1, maxLength: 3 }).map((names) => names.join(", ")),
    column(sources).map((name) => `${name} AS named, upper(${name}) || '-', ${sources[0]?.alias}.id`),
    column(sources).map(
      (name) => `${name}, (SELECT count(*) FROM tests AS u WHERE u.run_id = ${sources[0]?.alias}.id)`,
    ),
  );
  const total = sources.map(({ alias }) => `${alias}.id`);
  return fc
    .tuple(
      list,
      column(sources),
      pick(["", "DESC", "ASC NULLS LAST", "COLLATE NOCASE"]),
      fc.nat(12),
      fc.boolean(),
    )
    .map(([items, by, direction, limit, ordered]) => ({
      sql: `SELECT ${items} FROM ${from}${where}${
        ordered
          ? ` ORDER BY ${[`${by} ${direction}`, ...total].join(", ")}${limit > 2 ? ` LIMIT ${limit} OFFSET 1` : ""}`
          : ""
      }`,
      parameters: [],
      ordered,
    }));
}

function counting(sources: readonly Source[], from: string, where: string): fc.Arbitrary<GeneratedQuery> {
  const pieces = fc.tuple(
    column(sources),
    column(sources),
    pick(["count(*)", "count(DISTINCT X)", "sum(X)", "min(X)", "total(X) + 1", "max(max(X, 3))"]),
  );
  return pieces.chain(([by, other, count]) => {
    const counted = count.replaceAll("X", other);
    return pick([
      `SELECT ${by}, ${counted} AS n FROM ${from}${where} GROUP BY ${by} ORDER BY n DESC, 1`,
      `SELECT ${by} AS grouped, ${counted} FROM ${from}${where} GROUP BY grouped HAVING count(*) > 2 ORDER BY grouped`,
      `SELECT ${sources[0]?.alias}.id, ${by}, count(*) FROM ${from}${where} GROUP BY ${sources[0]?.alias}.id, ${by} ORDER BY 1, 2 LIMIT 7`,
      `SELECT count(*), sum(CAST(${other} AS INTEGER)) FROM ${from}${where}`,
      `SELECT DISTINCT ${by}, ${other} FROM ${from}${where} ORDER BY 1, 2 LIMIT 20`,
      `SELECT count(*) FROM (SELECT ${by} FROM ${from}${where} UNION SELECT ${other} FROM ${from}${where})`,
      `WITH found AS (SELECT ${by} AS a, ${other} AS b FROM ${from}${where}) SELECT a, count(b) FROM found GROUP BY a ORDER BY a`,
      `SELECT ${by}, row_number() OVER (PARTITION BY ${by} ORDER BY ${sources.map(({ alias }) => `${alias}.id`).join(", ")}) AS r FROM ${from}${where} ORDER BY 1, 2`,
    ]).map((sql) => ({ sql, parameters: [], ordered: true }));
  });
}

export const generatedQuery: fc.Arbitrary<GeneratedQuery> = pick(shapes)
  .chain(joinOf)
  .chain(({ sources, from, where }) =>
    fc.option(condition(sources), { nil: undefined }).chain((more) => {
      const terms = more === undefined ? where : [...where, more];
      const clause = terms.length === 0 ? "" : ` WHERE ${terms.join(" AND ")}`;
      return fc.oneof(plain(sources, from, clause), counting(sources, from, clause));
    }),
  )
  .chain((query) =>
    // A literal may be a parameter instead; it then occurs in both halves of a rewritten query.
    fc.boolean().map((asParameter) => {
      const bound = asParameter && query.sql.includes(" > 5");
      return bound
        ? {
            ...query,
            sql: query.sql.replaceAll(" > 5", " > ?"),
            parameters: Array(query.sql.split(" > 5").length - 1).fill(5),
          }
        : query;
    }),
  );
