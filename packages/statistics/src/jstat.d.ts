/** The part of jstat 1.9 that this package uses; the library has no types of its own. */
declare module 'jstat' {
  const library: {
    readonly jStat: {
      readonly studentt: { inv(probability: number, degreesOfFreedom: number): number };
      readonly normal: {
        cdf(value: number, mean: number, deviation: number): number;
        inv(probability: number, mean: number, deviation: number): number;
      };
      gammaln(value: number): number;
    };
  };
  export default library;
}
