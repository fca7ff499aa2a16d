// Optional and not installed in the workspace: what is used of it is `Usearch`.
declare module 'usearch';
