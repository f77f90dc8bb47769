// For a Node older than 20.14, which has no --test-force-exit: preload this.
import { after } from 'node:test';

after(() => setTimeout(() => process.exit(), 100));
