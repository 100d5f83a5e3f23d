/* Shifts the clock of this process by CLOCK_OFFSET_MS. PostgreSQL and the programs of tasks keep the machine's. */

const offsetMs = Number(process.env.CLOCK_OFFSET_MS ?? 0);
const MachineDate = Date;

globalThis.Date = class extends MachineDate {
  constructor(...values: ConstructorParameters<typeof Date> | []) {
    if (values.length === 0) super(MachineDate.now() + offsetMs);
    else super(...values);
  }

  static override now(): number {
    return MachineDate.now() + offsetMs;
  }
} as DateConstructor;
