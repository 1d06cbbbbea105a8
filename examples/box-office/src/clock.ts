// The one clock of a process of the demo.

/** Tells the time in milliseconds since 1970, with microseconds behind the point. It counts from one reading of the
 * wall clock, at the process's start, so that the files of several processes on one machine can be compared; it is
 * not set back with the wall clock; and it never tells one time twice, so that the times of one process's events are
 * also their order. */
export class EpochClock {
  #last_us = 0;

  now(): number {
    const time_us = Math.round((performance.timeOrigin + performance.now()) * 1000);
    this.#last_us = Math.max(time_us, this.#last_us + 1);
    return this.#last_us / 1000;
  }
}
