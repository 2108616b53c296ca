import { useVersion } from '../live/emitter';
import { token } from '../live/token';

/** What is shown instead of the page while the server refuses it. */
export function TokenPrompt() {
  useVersion(token);
  if (!token.wanted) return null;
  return (
    <form
      className="banner token"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get('token');
        if (typeof given === 'string' && given.trim()) token.set(given);
      }}
    >
      <label>
        This server asks for a token{' '}
        <input type="password" name="token" autoComplete="off" autoFocus required />
      </label>
      <button>Continue</button>
    </form>
  );
}
