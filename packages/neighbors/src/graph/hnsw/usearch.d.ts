// Optional, and not installed in the workspace. `Usearch` types the part that is used.
declare module 'usearch';
