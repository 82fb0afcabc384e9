import { readFileSync } from 'node:fs';
import { markdown, type Report } from './report';
process.stdout.write(markdown(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Report));
