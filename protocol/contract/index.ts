/**
 * protocol/contract: the REST contract between custodian, microservice and edge: problem codes (RFC 9457) and what answers
 * look like. May import nothing of this repository but protocol/. Imported by edge/, web/ and cli/.
 */
export {
  type Completed,
  type DataKeys,
  type DocumentPage,
  type DocumentRow,
  type ExportOrder,
  type Grant,
  isCompleted,
  isDataKeys,
  isDocumentPage,
  isExportOrder,
  isGrant,
  isPart,
  isRewrapped,
  isUploadOpened,
  type Part,
  type Rewrapped,
  type Shape,
  type UploadOpened,
} from "./answers.ts";
export {
  isProblemCode,
  PROBLEM_TYPE,
  type ProblemCode,
  type ProblemDocument,
  problemDocument,
  problems,
} from "./problems.ts";
