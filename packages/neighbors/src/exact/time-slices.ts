export { type TimeSlices, timeSlices } from '@rarefy/core';
