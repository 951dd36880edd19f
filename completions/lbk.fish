# Completions of lbk for fish. Made by `python -m lollmsbot_keys.cli.completions`, not by hand.
#
#     lbk completion fish | source

# What "lbk $argv" knows, an entry a line, its parts set apart by tabs: command NAME ABOUT; option TAKEN ABOUT
# SPELLING…; argument TAKEN. What is taken: - nothing, =a|b one of these, or what __lbk_value knows; * after it: there
# may be several.
function __lbk_know
    switch "$argv"
        case ''
            string join \t -- command test-keys 'Prove every key, and find configured models that are gone'
            string join \t -- command ask 'Send a prompt, with failover, and stream the answer'
            string join \t -- command route 'Say which key would take a request now, and why'
            string join \t -- command costs 'Show what calls did and cost, the budgets, and where they are heading'
            string join \t -- command metrics 'Print Prometheus text; make a dashboard and alert rules'
            string join \t -- command reset-limits 'Clear cooldowns and disabled marks; money stays'
            string join \t -- command rotate 'Replace a key\'s secret, proved before the old one is given up'
            string join \t -- command config 'Show, explain, check or begin the configuration'
            string join \t -- command sandbox 'Rehearse offline, with trouble on request'
            string join \t -- command completion 'Print the completions of a shell: bash, zsh or fish'
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'Print the version and exit' --version
            string join \t -- option - 'Show this message and exit' -h --help
        case test-keys
            string join \t -- option '=ollama|openrouter|local' 'Only its keys' --provider
            string join \t -- option - 'Also one real call of one token for each key' --deep
            string join \t -- option - 'A provider that cannot be reached is no failure' --allow-unreachable
            string join \t -- option - 'Show each model and where it is offered' --models
            string join \t -- option - 'Name the models of roles and settings that cannot be had' --pillars
            string join \t -- option duration 'The longest that one check may take' --timeout
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument 'key*'
        case ask
            string join \t -- option pillar 'Who asks, such as soul or guardian' --pillar -p
            string join \t -- option role 'As what the pillar asks' --role
            string join \t -- option model 'An Ollama name, or an OpenRouter id (with a slash)' --model -m
            string join \t -- option '=low|medium|high|critical' 'How far the prompt may travel' --privacy
            string join \t -- option - 'Free models only' --free
            string join \t -- option '=normal|critical' 'critical may use reserved keys, and goes first in the queue' --priority
            string join \t -- option key-or-local 'This key only (local: the machine\'s own Ollama)' --key
            string join \t -- option text 'The system message' --system -s
            string join \t -- option number 'At most so many tokens out' --max-tokens
            string join \t -- option number 'How freely to choose words, from 0 to 2' --temperature
            string join \t -- option duration 'The longest silence of one attempt, such as 30s or 5m' --timeout
            string join \t -- option duration 'If all keys are out: wait so long for one to come free' --wait
            string join \t -- option - 'Try the first candidate only' --no-failover
            string join \t -- option - 'Print the answer when it is complete' --no-stream
            string join \t -- option - 'Tell on standard error what is tried, and the cost' --verbose -v
            string join \t -- option file 'The log of decisions, instead of $LBK_LOG_FILE or log.file' --log-file
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument text
        case route
            string join \t -- option pillar 'Who asks, such as soul or guardian' --pillar -p
            string join \t -- option role 'As what the pillar asks' --role
            string join \t -- option model 'An Ollama name, or an OpenRouter id (with a slash)' --model -m
            string join \t -- option '=low|medium|high|critical' 'How far the prompt may travel' --privacy
            string join \t -- option - 'Free models only' --free
            string join \t -- option '=normal|critical' 'critical may use reserved keys, and goes first in the queue' --priority
            string join \t -- option key-or-local 'This key only (local: the machine\'s own Ollama)' --key
            string join \t -- option - 'Print the chosen key\'s name, or local, and nothing else' --quiet -q
            string join \t -- option time 'It is another time: ISO 8601, or from now: +2h' --at
            string join \t -- option 'assumption*' 'A key is cooling_down, disabled or over_budget' --assume
            string join \t -- option =last 'Explain a request of the log (last: the newest)' --replay
            string join \t -- option file 'The log of decisions, instead of $LBK_LOG_FILE or log.file' --log-file
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case costs
            string join \t -- option '=key|provider|model|pillar|day' 'One row for each' --by
            string join \t -- option - 'Since midnight of the configured zone, as by default' --today
            string join \t -- option - 'Since the first of this month' --month
            string join \t -- option date 'Since that day (2026-11-01)' --since
            string join \t -- option - 'One record a row for a spreadsheet, with exact amounts' --csv
            string join \t -- option - 'Only what people must be told, a line each: nothing and 0 while all is well, else 1' --alert
            string join \t -- option - 'Compare with what the providers booked: 1 where nothing explains a difference, else 0' --reconcile
            string join \t -- option amount 'With --reconcile: a difference up to this is left alone (default: 0.01)' --tolerance
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case metrics
            string join \t -- option file 'Write a file (*.prom) that node_exporter\'s textfile collector reads' --output -o
            string join \t -- option - 'Serve it at a port, measured at every scrape, until Ctrl-C' --serve
            string join \t -- option address 'Where to serve it (default: 127.0.0.1:9847)' --listen
            string join \t -- option text 'The label that tells pools apart (default: the state\'s path)' --pool
            string join \t -- option - 'Print a dashboard for Grafana' --grafana
            string join \t -- option - 'Print recording and alerting rules for Prometheus' --rules
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case reset-limits
            string join \t -- option '=ollama|openrouter|local' 'A provider\'s keys, and what is said of its models' --provider
            string join \t -- option - 'All keys and providers' --all
            string join \t -- option - 'Only say what would be cleared' --dry-run
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument 'key*'
        case rotate
            string join \t -- option 'target*' 'Write the new one here too, for instance dotenv:.env#NAME' --to
            string join \t -- option - 'Have OpenRouter make it, like the old one' --mint
            string join \t -- option - 'The new one may be another account\'s' --other-account
            string join \t -- option duration 'How long the old one stays good, instead of [rotation] grace' --grace
            string join \t -- option - 'Go on where it stopped' --resume
            string join \t -- option - 'Go back to the old one' --rollback
            string join \t -- option - 'List when each is due' --due
            string join \t -- option - 'List where each rotation stands' --status
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option file 'The state file, instead of $LBK_STATE or the usual place' --state
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument key
        case config
            string join \t -- command path 'Print the path of the config file, whether it is there or not'
            string join \t -- command show 'Print every setting in force, and whether it is a default or comes from the file or the environment'
            string join \t -- command check 'Say everything that is wrong with the configuration: exit code 3 if anything is'
            string join \t -- command init 'Write a config file in which every setting is explained and commented out; never over an existing one'
            string join \t -- option - 'Show this message and exit' -h --help
        case 'config path'
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case 'config show'
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument setting
        case 'config check'
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case 'config init'
            string join \t -- option file 'The config file, instead of $LBK_CONFIG or the usual place' --config
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
        case sandbox
            string join \t -- option 'fault*' 'Trouble for a key\'s next N chats, or for all of them' --fault -f
            string join \t -- option - 'Print every KIND and what it does' --list-faults
            string join \t -- option - 'Ollama Cloud still serves the models that it has retired' --serve-retired
            string join \t -- option '=sh|fish' 'Syntax of the printed exports' --shell
            string join \t -- option - 'Without CMD: one JSON document instead of exports, or of the list' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument 'command-line*'
        case completion
            string join \t -- option - 'One JSON document on standard output' --json
            string join \t -- option - 'Show this message and exit' -h --help
            string join \t -- argument '=bash|zsh|fish'
        case help
            string join \t -- argument '=test-keys|ask|route|costs|metrics|reset-limits|rotate|config|sandbox|completion|environment|files'
        case '*'
            return 1
    end
end

# Says what may stand at the cursor, a line each: the word, a tab, and what it is. With `files`, says nothing and
# succeeds where it is a file, for which fish itself knows best.
function __lbk_complete -a only
    set -l words (commandline -opc) # of LBK_CONFIG=… before them fish has taken care
    set -l word (commandline -ct)
    set word (string replace -ra '[\'"\\\\]' '' -- "$word")
    set -l value $word
    set -l known (__lbk_know)
    set -l path
    set -l given
    set -l pending
    set -l ended no
    set -l count 1
    set -l what
    set -l prefix
    set -l place 1
    for passed in $words[2..-1]
        set place (math $place + 1)
        __lbk_pass; or break
        if test "$pending" = command-line
            __lbk_inside $words[$place..]
            return
        end
    end
    __lbk_at_cursor; or return
    if test "$only" = files
        test "$what" = file; or string match -qr '^target (dotenv|file):' -- "$what $value"
        return
    end
    __lbk_value | string replace -r '^' -- "$prefix"
end

# Takes note of a word before the cursor; fails where nothing is known of what comes after it. With `command-line` in
# `pending`, another command line begins here.
function __lbk_pass -S
    if test -n "$pending"
        set pending
    else if test $ended = no; and test "$passed" = --
        set ended yes
    else if test $ended = no; and string match -qr -- '^-.' $passed
        __lbk_given $passed
    else if string match -q 'command'\t'*' -- $known
        set -a path $passed
        set known (__lbk_know $path)
        or return 1
    else if contains -- argument\t'command-line*' $known
        set pending command-line
    else
        set count (math $count + 1)
    end
    return 0
end

# Takes note of an option as it was typed: --name, --name=value, -x, -xvalue or -xyz.
function __lbk_given -S -a typed
    if string match -q -- '--*' $typed
        __lbk_option (string replace -r '=.*' '' -- $typed); or return 0
        test $what != -; and not string match -q -- '*=*' $typed; and set pending $what
        return 0
    end
    set -l letters (string split '' -- (string sub -s 2 -- $typed))
    for letter in (seq (count $letters))
        __lbk_option -$letters[$letter]; or return 0
        if test $what != -
            test $letter -eq (count $letters); and set pending $what
            return 0
        end
    end
    return 0
end

# Sets `what` to what an option takes, and remembers all its spellings as given, unless it may be given again.
function __lbk_option -S -a spelling
    for entry in $known
        set -l parts (string split \t -- $entry)
        test $parts[1] = option; and contains -- $spelling $parts[4..]; or continue
        set what (string replace -r '\*$' '' -- $parts[2])
        string match -q '*\*' -- $parts[2]; or set -a given $parts[4..]
        return 0
    end
    return 1
end

# Sets `what` is to be completed, from `value`, after `prefix`.
function __lbk_at_cursor -S
    if test -n "$pending"
        set what $pending
    else if test $ended = no; and string match -q -- '--*=*' "$word"
        set prefix (string replace -r '=.*' = -- $word)
        set value (string replace -r '^[^=]*=' '' -- $word)
        __lbk_option (string replace -r '=$' '' -- $prefix); and test $what != -
    else if test $ended = no; and string match -q -- '-*' "$word"
        set what options
        __lbk_combined
    else if string match -q 'command'\t'*' -- $known
        set what commands
    else
        set -l arguments (string replace -rf '^argument\t' '' -- $known)
        set what $arguments[$count]
        test -z "$what"; and set what (string match -r '.*\*$' -- "$arguments[-1]")
        set what (string replace -r '\*$' '' -- "$what")
        contains -- "$what$word" '' text; and set what options
        return 0
    end
end

# Looks for -xvalue, or -yxvalue.
function __lbk_combined -S
    string match -qr '^-[^-].' -- $word; or return 0
    for letter in (seq 2 (math (string length -- $word) - 1))
        __lbk_option -(string sub -s $letter -l 1 -- $word); or return 0
        test $what = -; and continue
        set prefix (string sub -l $letter -- $word)
        set value (string sub -s (math $letter + 1) -- $word)
        return 0
    end
    set what options
end

# Offers what `what` is.
function __lbk_value -S
    switch "$what"
        case commands
            string replace -f command\t '' -- $known
        case options
            for entry in $known
                set -l parts (string split \t -- $entry)
                test $parts[1] = option; or continue
                for name in $parts[4..]
                    contains -- $name $given; or printf '%s\t%s\n' $name $parts[3]
                end
            end
        case '=*'
            string split '|' -- (string sub -s 2 -- $what)
        case target
            printf '%s\n' 'dotenv:	dotenv:PATH#NAME' 'file:	file:PATH' 'keyring:	keyring:SERVICE/NAME' 'github:	github:OWNER/REPO, github:OWNER/REPO@ENVIRONMENT or github:orgs/ORGANISATION, each with #NAME at will' 'command:	command:PROGRAM ARGUMENTS'
        case command-line
            complete -C (commandline -ct)
        case key key-or-local pillar role model assumption fault setting
            set -l lbk lbk
            command -sq lbk; or set lbk (string replace -r '^~/' $HOME/ -- $words[1])
            command -sq $lbk; or return # fish would say so, whatever is redirected
            command $lbk __complete fish $what $words $value 2>/dev/null </dev/null
    end
end

# Offers what the command line would that begins here.
function __lbk_inside
    set -lx LBK_CONFIG /dev/null # the sandbox has a configuration of its own
    complete -C (string escape -- $argv | string join ' ')' '(commandline -ct)
end

complete -c lbk -e
complete -c lbk -k -f -a '(__lbk_complete)'
complete -c lbk -n '__lbk_complete files' -F
