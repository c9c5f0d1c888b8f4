// Kinesalite on the loopback address only, which its own command line cannot say. Usage: node kinesalite.js PORT
const kinesalite = require('kinesalite')

kinesalite({ createStreamMs: 5, deleteStreamMs: 5, updateStreamMs: 5, shardLimit: 1000 }).listen(process.argv[2], '127.0.0.1')
