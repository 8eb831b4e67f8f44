import { createRequire } from "node:module";
import type Database from "better-sqlite3";

const require = createRequire(import.meta.url);

/** Loads better-sqlite3 at the first use: a command that opens no database does without its files and its library. */
const load = () => require("better-sqlite3") as typeof Database;

/** Opens a database, as better-sqlite3's `new Database` does. @throws as that; if it cannot be loaded, Node's error */
export function openSqlite(...parameters: ConstructorParameters<typeof Database>): Database.Database {
  const Sqlite = load();
  return new Sqlite(...parameters);
}

/** Whether SQLite itself reported the error. */
export function isSqliteError(error: unknown): error is InstanceType<typeof Database.SqliteError> {
  return error instanceof load().SqliteError;
}
