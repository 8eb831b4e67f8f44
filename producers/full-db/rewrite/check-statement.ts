import { JobsError } from "../../../shared/errors.ts";
import { isToken, nameOf, type Token } from "../../../shared/sqlite/tokens.ts";

/**
 * Refuses several statements, other statement types, functions that access files, and mtjobs' own tables. `WITH …
 * INSERT` is refused later, when SQLite reports that it writes.
 *
 * @param fullDb selects the hints
 * @throws {JobsError} `read-only`, `bad-query`
 */
export function checkStatement(tokens: readonly Token[], fullDb: boolean): void {
  const [first] = tokens;
  if (first === undefined) throw badQuery("there is no statement", "give one SELECT");
  const end = tokens.findIndex((token) => isToken(token, ";"));
  if (end >= 0 && tokens.slice(end).some((token) => !isToken(token, ";"))) {
    throw badQuery("only one statement is allowed", "run one query at a time");
  }
  const word = first.kind === "word" ? first.value : first.text;
  if (!["SELECT", "WITH", "VALUES", "EXPLAIN"].includes(word)) throw notAQuery(word, fullDb);
  refuseReachingOut(tokens);
  refuseOwnTables(tokens);
}

function notAQuery(word: string, fullDb: boolean): JobsError {
  if (["INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER"].includes(word))
    return readOnly(word, fullDb);
  const hint = {
    PRAGMA: "use the table-valued function: SELECT * FROM pragma_table_info('runs')",
    ATTACH: "export what you need: --csv and --json write rows that another database can import",
  }[word];
  return badQuery(
    `${word.slice(0, 40)} is not a query`,
    hint ?? "only SELECT, WITH, VALUES and EXPLAIN are allowed",
  );
}

const reachingOut = ["LOAD_EXTENSION", "READFILE", "WRITEFILE", "EDIT", "FTS3_TOKENIZER"];

/** Refuses functions that access files, of SQLite or the `sqlite3` shell. */
function refuseReachingOut(tokens: readonly Token[]): void {
  const called = tokens.find(
    (token, index) =>
      reachingOut.includes((nameOf(token) ?? "").toUpperCase()) && isToken(tokens[index + 1], "("),
  );
  if (called === undefined) return;
  throw badQuery(
    `${called.text} is refused: a query may only read records`,
    "print the rows (--csv, --json, or a program that uses the library) and process that output",
  );
}

export function readOnly(word: string, fullDb: boolean): JobsError {
  return new JobsError("read-only", `${word} is refused: this connection only reads`, {
    hint: fullDb
      ? "restore the runs to megatest.db first, then change them there with Megatest or sqlite3"
      : "change records with Megatest itself: it works on its cache, not only on megatest.db",
  });
}

function badQuery(message: string, hint: string): JobsError {
  return new JobsError("bad-query", message, { hint });
}

/** Refuses mtjobs' own tables, which hold no records; SQLite also accepts a string as a table name. */
function refuseOwnTables(tokens: readonly Token[]): void {
  const own = tokens.find(
    (token, index) =>
      /^mtjobs_/i.test(token.value) &&
      (token.kind === "word" ||
        token.kind === "quoted-name" ||
        (token.kind === "string" && namesTable(tokens, index))),
  );
  if (own !== undefined) {
    throw badQuery(
      `no such table: ${own.kind === "word" ? own.text : own.value}`,
      "tables whose names begin with mtjobs_ are not Megatest records; open the file with sqlite3 to read them",
    );
  }
}

/** Returns true for a string after FROM, or as a pragma argument. */
function namesTable(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  if (!isToken(before, "(")) return isToken(before, "FROM", "JOIN", ".");
  return nameOf(tokens[index - 2])?.startsWith("pragma_") === true;
}
