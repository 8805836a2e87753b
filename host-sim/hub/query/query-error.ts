import { ServiceError } from '../service-error.ts';

/** IoT Hub's code for an argument that it cannot take. */
const ARGUMENT_INVALID = 400_004;

/** A query that cannot be run: what is wrong, where, and what to write instead. @param position 0-based, of the text that the client sent */
export function queryError(problem: string, position: number, remedy: string): ServiceError {
  return argumentError(`Query: ${problem} at character ${position + 1}; ${remedy}.`);
}

/** A header or argument beside the query's text. */
export function argumentError(message: string): ServiceError {
  return new ServiceError(400, ARGUMENT_INVALID, 'ArgumentInvalid', message);
}
