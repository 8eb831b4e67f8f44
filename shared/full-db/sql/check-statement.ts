import { JobsError } from "../../errors.ts";
import { isToken, type Token } from "./tokens.ts";

/**
 * Refuses what is no query before SQLite sees it: more than one statement, anything that does not begin as a query
 * does, and tables of ours. SQLite has the last word: a `WITH … INSERT` gets as far as it says that it would write.
 *
 * @throws {JobsError} `read-only` for what would change something; `bad-query`
 */
export function checkStatement(tokens: readonly Token[]): void {
  const [first] = tokens;
  if (first === undefined) throw badQuery("there is no statement", "give one SELECT");
  const end = tokens.findIndex((token) => isToken(token, ";"));
  if (end >= 0 && tokens.slice(end).some((token) => !isToken(token, ";"))) {
    throw badQuery("only one statement is allowed", "run one query at a time");
  }
  const word = first.kind === "word" ? first.value : first.text;
  if (!["SELECT", "WITH", "VALUES", "EXPLAIN"].includes(word)) throw notAQuery(word);
  refuseOwnTables(tokens);
}

function notAQuery(word: string): JobsError {
  if (!["INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER"].includes(word)) {
    return badQuery(`${word.slice(0, 40)} is no query`, "only SELECT, WITH, VALUES and EXPLAIN are allowed");
  }
  return readOnly(word);
}

/** What a statement that would write is refused with. */
export function readOnly(word: string): JobsError {
  return new JobsError("read-only", `${word} is refused: this connection only reads`, {
    hint: "bring the runs back to megatest.db first (restore), then change them there with Megatest or sqlite3",
  });
}

function badQuery(message: string, hint: string): JobsError {
  return new JobsError("bad-query", message, { hint });
}

/** Tables of ours say how a run is moved, not what it is; SQLite also takes a string for a table's name. */
function refuseOwnTables(tokens: readonly Token[]): void {
  const own = tokens.find(
    (token, index) =>
      /^mtjobs_/i.test(token.value) &&
      (token.kind === "word" ||
        token.kind === "quoted-name" ||
        (token.kind === "string" && isToken(tokens[index - 1], "FROM", "JOIN", "."))),
  );
  if (own !== undefined) {
    throw badQuery(
      `no such table: ${own.value}`,
      "names that begin with mtjobs_ are not part of Megatest's records",
    );
  }
}
