/**
 * protocol/rest: the REST contract between custodian, microservice and edge: problem codes (RFC 9457) and schemas.
 * May import nothing of this repository but protocol/. Imported by edge/ and web/.
 */
export {
  isProblemCode,
  PROBLEM_TYPE,
  type ProblemCode,
  type ProblemDocument,
  problemDocument,
  problems,
} from "./problems.ts";
