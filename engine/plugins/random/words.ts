/** Words of `RandomPet`: lower case, a to z only, so that a name is good in any host name or file name. */

export const NAMES: readonly string[] =
  `adder alpaca antelope badger barnacle bat bear beaver beetle bison boar bobcat buffalo camel caribou cat
cheetah chough civet clam cobra cod condor cormorant cougar coyote crab crane cricket crow curlew deer
dingo dolphin donkey dove dragonfly duck eagle eel egret eland elk emu ermine falcon ferret finch
flamingo fox frog gannet gazelle gecko gibbon giraffe gnu goat goose goshawk grouse gull hare hawk
hedgehog heron herring hippo hornet horse hyena ibex ibis iguana impala jackal jaguar jay kestrel kingfisher
kite kiwi koala kudu lark lemming lemur leopard limpet lion lizard llama lobster loon lynx macaw
magpie mallard mammoth manatee mantis marlin marmot marten meerkat merlin mink mole monkey moose moth mouse
mule narwhal newt nightjar ocelot octopus okapi opossum orca oriole osprey ostrich otter owl ox oyster
panda panther parrot partridge pelican penguin perch pheasant pigeon pike plover pony porcupine possum prawn puffin
puma python quail rabbit raccoon ram raven ray redstart reindeer robin rook salmon sandpiper seahorse seal
serval shark sheep shrew shrimp skink skua skunk skylark sloth snail sparrow spider squid squirrel starling
stoat stork swallow swan swift tapir tern terrapin thrush tiger toad tortoise toucan trout tuna turtle
viper vole vulture wallaby walrus warbler wasp weasel whale wolf wombat woodcock wren yak zebra`.split(/\s+/);

export const ADJECTIVES: readonly string[] =
  `able active agile airy alert ample apt ardent artful astute avid bold bonny brave brief bright
brisk broad busy calm candid careful civil clean clear clever close cool cordial crisp cunning curious
daring dapper decent deep deft direct docile eager early earnest easy elegant equal even exact expert
fair famous fast fine firm fit fleet fluent fond frank free fresh full funny gallant generous gentle
genial glad gleaming golden good grand great handy happy hardy honest hopeful humble ideal intent jolly
jovial joyful just keen kind large lasting lawful learned light lively logical loving loyal lucid lucky
lunar lyric major meek mellow merry mighty mild modest moral native natural neat nimble noble normal
novel open orderly patient peaceful placid plain polite prime prompt proper proud prudent pure quick quiet
rapid rare ready regular restful rich right robust rosy round royal rustic sacred safe sage sane
secure serene sharp shining silent silver simple sincere sleek smart smiling smooth snug sober social solar
solid sound spare splendid spry square stable steady stellar still stirred stout strong sturdy subtle suited
sunny super supple sure sweet swift tender thankful thorough tidy tough tranquil true trusty upbeat upright
useful valid vast verbal vital vivid warm wealthy whole willing wise witty wondrous worthy young zesty`.split(/\s+/);

export const ADVERBS: readonly string[] =
  `ably actively amply aptly briefly brightly broadly calmly carefully cheerfully cleanly clearly closely
constantly daily deeply directly duly eagerly early easily entirely equally evenly exactly fairly finely firmly
fondly freely freshly friendly fully generally gently gladly globally gratefully greatly happily hardly honestly
hugely humbly ideally jointly justly keenly kindly largely lately legally lightly likely literally locally
loosely luckily mainly mildly modestly mostly mutually namely nearly neatly newly nicely nominally normally
notably openly overly partly possibly presently promptly properly purely quickly quietly randomly rapidly rarely
readily really regularly rightly roughly safely scarcely secretly shortly silently similarly simply slightly
slowly smoothly softly solely specially stably steadily strangely strictly strongly surely swiftly tenderly
terribly thoroughly tightly truly typically uniquely usually vaguely vastly verily visually warmly weekly
widely wisely wonderfully yearly`.split(/\s+/);
