import { describeTicketLog } from "./contract.ts";
import { sqliteHarness } from "./sqlite-harness.ts";

describeTicketLog("SQLite", sqliteHarness);
