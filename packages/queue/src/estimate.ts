// How long a place in the line still waits, from what was measured of the admissions before.
//
// Admissions are counts whose variance is φ times their mean: 0 when they come evenly, 1 as a Poisson process, more in
// bursts (a quasi-Poisson model: P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd ed., 1989, section 9.2).
// The pace itself is only known from the N that were seen, so the time of the n-th to come, over n / pace, is as the
// ratio of two gamma variables of shapes n / φ and N / φ: an F variable. Its quantiles are E. Paulson's ("An Approximate
// Normalization of the Analysis of Variance Distribution", 1942), a cube as E. B. Wilson's and M. M. Hilferty's. So a
// far place is known less well than √n would have it, as long as few were seen.

/** What was measured of a queue's admissions. */
export interface Measured {
  /** Admissions a second. */
  readonly perSecond: number;
  /** How many that was measured from; at least 1. */
  readonly admitted: number;
  /** Their variance over their mean, φ. */
  readonly dispersion: number;
}

/** Half of those at a place wait less than the one, nine of ten less than the other; in ms. */
export interface Wait {
  readonly p50_ms: number;
  readonly p90_ms: number;
}

/** The 90th percentile of the standard normal distribution. */
const Z90 = 1.2816;

/** The fewest that count as seen, over φ: with less, there is no bound to what may come. */
const SEEN_MIN = 1;

/** `position`: from 1. Where admissions come in bursts of φ, the first of a burst waits as long as its last. */
export function waitAt(position: number, { perSecond, admitted, dispersion }: Measured): Wait {
  const toWaitFor = Math.max(position, dispersion);
  const mean_ms = (toWaitFor * 1_000) / perSecond;
  const toCome = dispersion / (9 * toWaitFor);
  const seen = 1 / (9 * Math.max(SEEN_MIN, admitted / dispersion));
  return {
    p50_ms: mean_ms * ratioAt(0, toCome, seen),
    p90_ms: mean_ms * ratioAt(Z90, toCome, seen),
  };
}

/** Paulson's quantile of F, by the normal one; `a` and `b` are 1/9 over the shapes of numerator and denominator, at most
 * 1/9. */
function ratioAt(z: number, a: number, b: number): number {
  const [above, below] = [1 - a, 1 - b];
  const root = Math.sqrt(above ** 2 * b + below ** 2 * a - z ** 2 * a * b);
  return ((above * below + z * root) / (below ** 2 - z ** 2 * b)) ** 3;
}
